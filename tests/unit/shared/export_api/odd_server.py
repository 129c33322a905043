"""A server on a real socket that sends exactly the bytes it is told to, and the handler that meets it."""

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any, Self

import httpx

from runtime.orchestrator.handler import ExportJobsHandler
from runtime.orchestrator.listing import JobLister
from runtime.shared.consumer import Park, Retry, Yield
from runtime.shared.export_api import ExportApi
from runtime.shared.export_api.auth import Bearer
from runtime.shared.export_api.credentials import SecretStore
from runtime.shared.export_api.transport import DeadlineTransport
from runtime.shared.ledger import JobClaim, JobState, ListingState
from runtime.shared.ledger.types import Recorded
from runtime.shared.metrics import Metrics
from tests.unit.deliveries import delivery
from tests.unit.orchestrator.test_handler import NOW
from tests.unit.orchestrator.vendor import settings
from tests.unit.shared.circuits.fleet import unshared
from tests.unit.shared.export_api.secrets import Secrets


@dataclass(frozen=True)
class Asked:
    """One request, and how many have been made before it."""

    target: str
    headers: dict[str, str]
    number: int

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def parameter(self, name: str) -> str | None:
        return httpx.QueryParams(self.query).get(name)


Bytes = bytes | Iterable[bytes]
Habit = Callable[[Asked], Bytes]


def answer(body: bytes | str, *, status: str = "200 OK", length: int | None = None, **headers: str) -> bytes:
    """A whole answer, `length` being what its Content-Length claims."""
    data = body.encode() if isinstance(body, str) else body
    fields = {
        "Content-Type": "application/json",
        "Content-Length": str(len(data) if length is None else length),
    }
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"HTTP/1.1 {status}\r\n{head}Connection: close\r\n\r\n".encode("latin-1") + data


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n", **headers: str) -> bytes:
    """An answer in chunks, with whatever comes after the last one."""
    head = answer(b"", Transfer_Encoding="chunked", Content_Length="", length=None, **headers)
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


def packed(document: Any, times: int = 1) -> bytes:
    data = json.dumps(document).encode()
    for _ in range(times):
        data = gzip.compress(data, mtime=0)
    return data


def record(of: Any, /, **changes: Any) -> dict[str, Any]:
    fields = {"file_id": of, "name": f"{of}.zip", "download_url": f"/d/{of}"} | changes
    return {name: value for name, value in fields.items() if value is not ...}


def page(*files: Any, **fields: Any) -> bytes:
    """A page of these files (a text is a record of that id)."""
    listed = [record(file) if isinstance(file, str) else file for file in files]
    return answer(json.dumps({"files": listed, **fields}))


class OddServer:
    """Use as a context manager. `habit` answers every request but the one for the job's status, unless
    `status` does.
    """

    def __init__(self, habit: Habit, status: Habit | None = None) -> None:
        self._habit = habit
        self._status = status or (lambda _asked: answer('{"status": "completed"}'))
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.requests: list[Asked] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            words = lines.readline().decode("latin-1").split(" ")
            if len(words) != 3:
                return
            headers: dict[str, str] = {}
            while line := lines.readline().strip():
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            is_status = words[1] == "/v1/exports/job"
            number = sum((request.path == "/v1/exports/job") == is_status for request in self.requests)
            asked = Asked(words[1], headers, number)
            self.requests.append(asked)
            sent = (self._status if is_status else self._habit)(asked)
            try:
                for piece in (sent,) if isinstance(sent, bytes) else sent:
                    connection.sendall(piece)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                # The client has seen enough.
                return


class MemoryLedger:
    """What a listing asks of the ledger."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.listing = ListingState()
        self.complete = False

    def claim_job(self, job: str, *, owner: str, correlation_id: str, **_: Any) -> JobClaim:
        return JobClaim(
            export_job_id=job, generation=1, owner=owner, correlation_id=correlation_id, listing=self.listing
        )

    def renew_job(self, claim: JobClaim, lease_s: float) -> None: ...

    def release_job(self, claim: JobClaim) -> None: ...

    def record_tasks(self, claim: JobClaim, files: dict[str, str], page: int) -> Recorded:
        new = tuple(task for task in files if task not in self.files)
        self.files |= files
        return Recorded(new, ())

    def advance(self, claim: JobClaim, listing: ListingState) -> None:
        self.listing = listing

    def finish_listing(self, claim: JobClaim, listing: ListingState) -> JobState:
        self.listing, self.complete = listing, True
        return JobState(
            export_job_id=claim.export_job_id,
            status="processing",
            listing_complete=True,
            tasks_total=len(self.files),
            tasks_done=0,
            tasks_parked=0,
        )


class Sent:
    """A dispatcher that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def send(self, _job: str, records: Iterable[Any], **_: Any) -> int:
        self.records += records
        return 0


class Silent:
    def ask_for_count(self, _state: JobState) -> None: ...


@dataclass(frozen=True)
class Seen:
    """What became of a job: `retry:<reason>`, `park:<reason>`, `yield:<reason>` or `listed`."""

    outcome: str
    error: str
    files: list[str]
    urls: list[str]
    listing: ListingState
    requests: int = field(compare=False)


def api_of(server: OddServer, secrets: Secrets | None = None, **profile: Any) -> ExportApi:
    """The client as a service wires it, impatient."""
    values: dict[str, Any] = {
        "export_api_base_url": server.base_url,
        "export_api_attempts": 1,
        "export_api_timeout_s": 0.5,
        "export_api_deadline_s": 1.0,
        **profile,
    }
    configured = settings(**values)
    http = _http(configured.export_api_deadline_s, configured.export_api_timeout_s)
    secret = SecretStore(secrets or Secrets(), "arn", clock=lambda: 0.0)  # type: ignore[arg-type]
    return ExportApi(configured, http, Bearer(secret), unshared(failures=99))


@cache
def _http(deadline_s: float, timeout_s: float) -> httpx.Client:
    transport = DeadlineTransport(connections=4, deadline_s=deadline_s)
    return httpx.Client(transport=transport, timeout=timeout_s, trust_env=False)


def meet(server: OddServer, **profile: Any) -> Seen:
    """One job listed by the handler against this server."""
    api = api_of(server, **profile)
    ledger, sent = MemoryLedger(), Sent()
    metrics = Metrics(namespace="n", service="s", environment="e", interval_s=60)
    handler = ExportJobsHandler(
        settings(),
        owner="o",
        sqs=None,  # type: ignore[arg-type]
        api=api,
        ledger=ledger,  # type: ignore[arg-type]
        messages=None,  # type: ignore[arg-type]
        reporter=Silent(),  # type: ignore[arg-type]
        lister=JobLister(api, ledger, sent, metrics, max_pages=1_000),  # type: ignore[arg-type]
        utc_now=lambda: NOW,
    )
    outcome = handler(delivery('{"export_job_ids": ["job"]}', sent_at=NOW))
    names = {Park: "park", Retry: "retry", Yield: "yield"}
    kind = names.get(type(outcome), "listed")
    reason = getattr(outcome, "reason", "")
    return Seen(
        f"{kind}:{reason}" if reason else kind,
        getattr(outcome, "error", ""),
        sorted(ledger.files.values()),
        [record.download_url for record in sent.records],
        ledger.listing,
        len(server.requests),
    )
