"""SQS behind the proxy: receipts as SQS keeps them, and the faults that only a queue has.

moto changes its queues without a lock, so calls that change one are made one after another, and a long poll
becomes short ones: otherwise a message could be lost by the stand-in and be blamed on the services.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from local.faults.proxy import receipts
from local.faults.proxy.exchange import Request, Response, json_answer
from local.faults.proxy.random_source import RECEIVE_ONLY, Fault
from local.faults.proxy.receipts import ReceiptRules, Ruling
from local.faults.proxy.sabotage import Sabotage
from local.faults.proxy.upstream import Upstream

_SHORT_POLL_S = 0.1
_DEFAULT_VISIBILITY_S = 30
_FAILED = {
    "SenderFault": False,
    "Code": "ServiceUnavailable",
    "Message": "The request has failed, try again.",
}


HandedOut = Callable[[str, Mapping[str, Any]], None]
"""Told the caller's User-Agent and the message, just before the answer goes out."""


class SqsEndpoint:
    """Answers every SQS call. Called from many threads."""

    def __init__(
        self,
        upstream: Upstream,
        rules: ReceiptRules,
        *,
        broken: Sabotage | None = None,
        tasks_queue: str = "",
        handed_out: HandedOut = lambda _user_agent, _message: None,
    ) -> None:
        """broken: a sabotage of the queue whose URL ends in `tasks_queue`."""
        self._handed_out = handed_out
        self._upstream = upstream
        self._rules = rules
        self._broken = broken
        self._tasks_queue = tasks_queue
        self._queues: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)

    def serve(self, request: Request, fault: Fault | None, gone: Callable[[], bool]) -> Response:
        """`gone` says whether the client still waits."""
        document = request.json()
        match request.operation.name:
            case "ReceiveMessage":
                return self._receive(request, document, fault, gone)
            case "ChangeMessageVisibility":
                return self._change_visibility(request, document)
            case "DeleteMessage":
                return self._delete(request, document)
            case "ChangeMessageVisibilityBatch" | "DeleteMessageBatch" | "SendMessageBatch":
                return self._batch(request, document, fault)
        return self._forward(request, document)

    def _forward(self, request: Request, document: dict[str, Any], operation: str | None = None) -> Response:
        with self._queues[document.get("QueueUrl", "")]:
            return self._upstream.send(request.with_json(document, operation=operation))

    def _receive(
        self, request: Request, document: dict[str, Any], fault: Fault | None, gone: Callable[[], bool]
    ) -> Response:
        deadline = time.monotonic() + int(document.get("WaitTimeSeconds", 0))
        document["WaitTimeSeconds"] = 0
        visibility_s = document.get("VisibilityTimeout", _DEFAULT_VISIBILITY_S)
        document["VisibilityTimeout"] = receipts.forwarded_visibility(int(visibility_s))
        while True:
            with self._queues[document["QueueUrl"]]:
                response = self._upstream.send(request.with_json(document))
                messages = response.json().get("Messages", []) if response.ok else []
                for message in messages:
                    self._rules.received(message["MessageId"], message["ReceiptHandle"], visibility_s)
            if messages or not response.ok or time.monotonic() >= deadline:
                break
            time.sleep(_SHORT_POLL_S)
            # Before the next look, or a message would be handed to nobody.
            if gone():
                break
        if not messages:
            if fault and fault.kind in RECEIVE_ONLY:
                fault.missed = True
            return response
        if self._broken is Sabotage.DELETE_BEFORE_UPLOAD and self._is_tasks(document):
            for message in messages:
                self._with_receipt(request, document, message["ReceiptHandle"], "DeleteMessage")
        if fault:
            messages = self._disturb(request, document, messages, fault)
        for message in messages:
            self._handed_out(request.headers.get("User-Agent", ""), message)
        return response.with_json({"Messages": messages})

    def _disturb(
        self, request: Request, document: dict[str, Any], messages: list[dict[str, Any]], fault: Fault
    ) -> list[dict[str, Any]]:
        receipt = messages[0]["ReceiptHandle"]
        match fault.kind:
            case "duplicate":
                self._rules.show_twice(receipt)
                self._with_receipt(request, document, receipt, "ChangeMessageVisibility", VisibilityTimeout=0)
            case "receipt-expired":
                self._rules.expire(receipt)
                self._with_receipt(request, document, receipt, "ChangeMessageVisibility", VisibilityTimeout=0)
            case "shuffled":
                fault.chance.shuffle(messages)
            case "withheld":
                return messages[1:]
        return messages

    def _with_receipt(
        self, request: Request, document: dict[str, Any], receipt: str, operation: str, **more: int
    ) -> None:
        call = {"QueueUrl": document["QueueUrl"], "ReceiptHandle": receipt, **more}
        self._forward(request, call, operation)

    def _change_visibility(self, request: Request, document: dict[str, Any]) -> Response:
        receipt, visibility_s = document["ReceiptHandle"], int(document["VisibilityTimeout"])
        ruling = self._rules.judge_visibility(receipt, visibility_s)
        if ruling is Ruling.PRETEND:
            return json_answer({})
        if ruling is not Ruling.FORWARD:
            return receipts.refusal(ruling, receipt, visibility_s)
        document["VisibilityTimeout"] = receipts.forwarded_visibility(visibility_s)
        return self._forward(request, document)

    def _delete(self, request: Request, document: dict[str, Any]) -> Response:
        if self._rules.judge_delete(document["ReceiptHandle"]) is Ruling.PRETEND:
            return json_answer({})
        return self._forward(request, document)

    def _batch(self, request: Request, document: dict[str, Any], fault: Fault | None) -> Response:
        """Entries that the rules or a fault decide are answered here, the others go on."""
        successful: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        onward: list[dict[str, Any]] = []
        partial = fault if fault and fault.kind == "partial" else None
        is_task = self._is_tasks(document)
        for number, entry in enumerate(document["Entries"]):
            # A partial failure always fails the first entry, so that it is one.
            if partial and (number == 0 or partial.chance.random() < 0.5):
                failed.append({"Id": entry["Id"], **_FAILED})
                continue
            ruling, visibility_s = self._judge(request.operation.name, entry, is_task=is_task)
            if ruling is Ruling.PRETEND:
                successful.append({"Id": entry["Id"]})
            elif ruling is Ruling.FORWARD:
                onward.append(entry)
            else:
                code, text = receipts.error(ruling, entry["ReceiptHandle"], visibility_s)
                failed.append({"Id": entry["Id"], "SenderFault": True, "Code": code, "Message": text})
        response = json_answer({})
        if onward:
            response = self._forward(request, {**document, "Entries": onward})
            if not response.ok:
                return response
        answer = response.json()
        return response.with_json(
            {
                "Successful": answer.get("Successful", []) + successful,
                "Failed": answer.get("Failed", []) + failed,
            }
        )

    def _is_tasks(self, document: dict[str, Any]) -> bool:
        return bool(document["QueueUrl"].endswith(self._tasks_queue))

    def _judge(self, operation: str, entry: dict[str, Any], *, is_task: bool) -> tuple[Ruling, int]:
        match operation:
            case "DeleteMessageBatch" if self._broken is Sabotage.NO_FENCE and is_task:
                return Ruling.PRETEND, 0
            case "DeleteMessageBatch":
                return self._rules.judge_delete(entry["ReceiptHandle"]), 0
            case "ChangeMessageVisibilityBatch":
                visibility_s = int(entry["VisibilityTimeout"])
                ruling = self._rules.judge_visibility(entry["ReceiptHandle"], visibility_s)
                entry["VisibilityTimeout"] = receipts.forwarded_visibility(visibility_s)
                return ruling, visibility_s
        return Ruling.FORWARD, 0
