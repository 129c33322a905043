"""S3, DynamoDB and EventBridge behind the proxy: what each checks and moto does not, and its own faults."""

import threading
import zlib
from typing import Any

from local.faults.proxy import answers, s3_rules, sabotage
from local.faults.proxy.exchange import Request, Response, json_answer
from local.faults.proxy.journal import Journal
from local.faults.proxy.random_source import Fault
from local.faults.proxy.s3_rules import S3Rules
from local.faults.proxy.sabotage import Sabotage
from local.faults.proxy.upstream import Upstream

_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"}


class S3Endpoint:
    """Uploads are checked before they are applied, and what was applied is journalled."""

    def __init__(self, upstream: Upstream, journal: Journal, broken: Sabotage | None = None) -> None:
        self._upstream = upstream
        self._journal = journal
        self._rules = S3Rules()
        self._broken = broken
        self._conditional = threading.Lock()

    def serve(self, request: Request, fault: Fault | None) -> Response:
        # moto looks at a condition and writes in two steps, without a lock.
        if "If-Match" in request.headers or "If-None-Match" in request.headers:
            with self._conditional:
                return self._serve(request, fault)
        return self._serve(request, fault)

    def _serve(self, request: Request, fault: Fault | None) -> Response:
        if fault and fault.kind == "corrupted":
            fault.missed = not request.body
            request = request.with_body(
                sabotage.flipped(request.body, fault.chance.randrange(max(len(request.body), 1)))
            )
        refusal = self._rules.refusal(request) or self._unmatched(request)
        if refusal:
            return refusal
        name = request.operation.name
        forwarded = request
        is_object = "/manifests/" not in request.operation.path
        if name == "PutObject" and is_object and self._broken is Sabotage.WRONG_BYTES:
            forwarded = sabotage.with_wrong_byte(request)
        if name == "PutObject" and is_object and self._broken is Sabotage.MISPLACED_OBJECT:
            forwarded = sabotage.beside(request)
        response = self._upstream.send(forwarded)
        if response.ok:
            self._rules.applied(request)
            if name in ("PutObject", "CompleteMultipartUpload"):
                self._note(request)
            if name == "PutObject" and is_object and self._broken is Sabotage.EXTRA_OBJECT:
                self._upstream.send(sabotage.beside(request))
        return response

    def _unmatched(self, request: Request) -> Response | None:
        """moto completes a multipart upload whatever If-Match says."""
        wanted = request.headers.get("If-Match")
        if request.operation.name != "CompleteMultipartUpload" or wanted is None:
            return None
        head = self._upstream.send(request.as_head())
        etag = next((value for name, value in head.headers if name.lower() == "etag"), None)
        if head.ok and etag == wanted:
            return None
        return answers.s3_error(
            request.operation, 412, "PreconditionFailed", "At least one of the conditions did not hold."
        )

    def _note(self, request: Request) -> None:
        _, _, key = request.operation.path.lstrip("/").partition("/")
        if request.operation.name == "PutObject":
            data = s3_rules.content(request)
            self._journal.record("object", key=key, size=len(data), crc32=zlib.crc32(data))
        else:
            self._journal.record("object", key=key)


class DynamoDbEndpoint:
    """Writes happen one after another: moto checks a condition and writes in two steps, without a lock."""

    def __init__(self, upstream: Upstream, broken: Sabotage | None = None) -> None:
        self._upstream = upstream
        self._broken = broken
        self._lock = threading.Lock()

    def serve(self, request: Request, fault: Fault | None) -> Response:
        name = request.operation.name
        if fault and fault.kind == "partial" and name == "BatchGetItem":
            return self._unprocessed(request)
        if name not in _WRITES:
            return self._upstream.send(request)
        if self._broken is Sabotage.NO_FENCE:
            request = sabotage.without_condition(request)
        with self._lock:
            return self._upstream.send(request)

    def _unprocessed(self, request: Request) -> Response:
        """Half of the keys of each table are left for the next call."""
        document = request.json()
        asked: dict[str, Any] = {}
        left: dict[str, Any] = {}
        for table, wanted in document["RequestItems"].items():
            half = len(wanted["Keys"]) // 2
            left[table] = {**wanted, "Keys": wanted["Keys"][half:]}
            if half:
                asked[table] = {**wanted, "Keys": wanted["Keys"][:half]}
        if not asked:
            return json_answer({"Responses": {}, "UnprocessedKeys": left})
        response = self._upstream.send(request.with_json({**document, "RequestItems": asked}))
        if not response.ok:
            return response
        answer = response.json()
        return response.with_json(
            {**answer, "UnprocessedKeys": {**answer.get("UnprocessedKeys", {}), **left}}
        )


class EventsEndpoint:
    """Every event that EventBridge took is journalled: moto gives no way to read them back."""

    def __init__(self, upstream: Upstream, journal: Journal) -> None:
        self._upstream = upstream
        self._journal = journal

    def serve(self, request: Request, fault: Fault | None) -> Response:
        document = request.json()
        entries = document.get("Entries", [])
        if request.operation.name != "PutEvents":
            return self._upstream.send(request)
        failed = {0} if fault and fault.kind == "partial" else set()
        onward = [entry for number, entry in enumerate(entries) if number not in failed]
        results: list[dict[str, Any]] = []
        if onward:
            response = self._upstream.send(request.with_json({**document, "Entries": onward}))
            if not response.ok:
                return response
            results = response.json()["Entries"]
            for entry, result in zip(onward, results, strict=True):
                if "EventId" in result:
                    self._journal.record(
                        "event", source=entry["Source"], type=entry["DetailType"], detail=entry["Detail"]
                    )
        for number in sorted(failed):
            results.insert(number, {"ErrorCode": "InternalFailure", "ErrorMessage": "Try again."})
        count = sum("ErrorCode" in result for result in results)
        return json_answer({"FailedEntryCount": count, "Entries": results})
