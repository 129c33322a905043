"""Two hundred seconds without a dependency, with production's timings on a clock that moves when told to.

Two orchestrators and three workers share a queue each and the circuits. Settling, circuits, client and
credentials are the services' own; what is made here is the time, the queue and the other side.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from runtime.orchestrator.settings import OrchestratorSettings
from runtime.shared.circuits import CircuitConfig, CircuitOpen, Circuits, Keeper
from runtime.shared.circuits.announcing import Announcer
from runtime.shared.consumer import Cancellation, ConsumerOptions, Delivery, Done, Outcome, Park, Retry
from runtime.shared.consumer.deletes import DeleteBuffer
from runtime.shared.consumer.heartbeat import Heartbeat
from runtime.shared.consumer.held import Held
from runtime.shared.consumer.outcomes import Crashed
from runtime.shared.consumer.queues import SourceQueue, read_envelope
from runtime.shared.consumer.settling import Settler
from runtime.shared.events import EventBus
from runtime.shared.export_api import ApiError, ExportApi
from runtime.shared.export_api.auth import SECRET, Bearer, Guarded
from runtime.shared.export_api.client import LISTING, STATUS
from runtime.shared.export_api.credentials import SecretStore
from runtime.shared.metrics import Metrics
from runtime.worker.fetch.errors import DownloadFailed
from runtime.worker.outcomes import outcome_of
from tests.unit.conftest import Clock, until
from tests.unit.orchestrator.vendor import BASE, Wire, settings
from tests.unit.shared.circuits.fleet import Events, Polling, Store

OUTAGE_S, WORK = 200, 22
HOST = "download:files.example.com"
DEFAULTS = ConsumerOptions(service="s", slots=1)


class Queue:
    """SQS, as far as settling needs it: copies with their delay, deletes, visibility."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self.messages: dict[str, dict[str, Any]] = {}
        self.parked: list[dict[str, Any]] = []

    def send_message(self, **message: Any) -> None:
        assert 0 <= message.get("DelaySeconds", 0) <= 900
        if message["QueueUrl"] == "dlq":
            self.parked.append(message)
            return
        receipt = str(next(self._numbers))
        self.messages[receipt] = {
            "ReceiptHandle": receipt,
            "MessageId": receipt,
            "Body": message["MessageBody"],
            "MessageAttributes": message.get("MessageAttributes", {}),
            "visible_at": self._clock() + message.get("DelaySeconds", 0),
        }

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> Any:  # noqa: N803
        for entry in Entries:
            del self.messages[entry["ReceiptHandle"]]
        return {}

    def receive(self) -> dict[str, Any] | None:
        for message in self.messages.values():
            if message["visible_at"] <= self._clock():
                message["visible_at"] = self._clock() + 300
                return message
        return None


class Vendor:
    """The other side: what is down answers 503 or not at all, and everything asked is written down."""

    def __init__(self, clock: Clock, down: frozenset[str], failing: Callable[[int], bool]) -> None:
        self._clock = clock
        self._began = clock()
        self._down = down
        self._failing = failing
        self._asked = itertools.count()
        self.asked: list[tuple[str, float]] = []

    @property
    def now(self) -> float:
        return self._clock() - self._began

    def is_down(self, what: str) -> bool:
        self.asked.append((what, self.now))
        return what in self._down and self.now < OUTAGE_S and self._failing(next(self._asked))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        what = LISTING if request.url.path.endswith("/files") else STATUS
        if not self.is_down(what):
            return httpx.Response(200, json={"status": "completed", "files": []})
        if len(self.asked) % 2:
            raise httpx.ConnectError("refused")
        return httpx.Response(503, headers={"Retry-After": "0"})

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803
        if self.is_down(SECRET):
            if len(self.asked) % 2:
                return {"SecretString": ""}
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")
        return {"SecretString": '{"token": "t"}'}

    def download(self, _dependency: str = HOST) -> None:
        if self.is_down(HOST):
            raise DownloadFailed("the server answered 503")


@dataclass
class Process:
    """One task of a service: it receives when it may, works, and settles."""

    queue: Queue
    clock: Clock
    store: Store
    vendor: Vendor
    work: Callable[["Process"], Outcome]
    needed: frozenset[str]
    turn_at: float = 0.0
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        profile = settings(export_api_base_url=BASE)
        # Production's timings are the settings' defaults.
        fields = OrchestratorSettings.model_fields
        self.circuits = Circuits(
            CircuitConfig(
                failures=fields["breaker_failures"].default, reset_s=fields["breaker_reset_s"].default
            ),
            self.store,
            Announcer(
                Metrics(namespace="n", service="s", environment="e", interval_s=60),
                EventBus(Events(), "bus"),  # type: ignore[arg-type]
            ),
            clock=self.clock,
        )
        secrets = SecretStore(self.vendor, "arn", clock=self.clock)  # type: ignore[arg-type]
        http = httpx.Client(transport=Wire(self.vendor))
        self.api = ExportApi(profile, http, Guarded(Bearer(secrets), self.circuits), self.circuits)
        self.circuits.add(
            "download", counts=lambda error: isinstance(error, DownloadFailed), probe=self.vendor.download
        )
        self.polling = Polling()
        self.keeper = Keeper(self.circuits, self.polling, lambda away: not self.needed.isdisjoint(away))
        self.deletes = DeleteBuffer(self.queue, delay_s=0, clock=self.clock)  # type: ignore[arg-type]
        self.settler = Settler(
            self.queue,  # type: ignore[arg-type]
            Heartbeat(self.queue, visibility_s=300, interval_s=60, handover_after_s=39_600, clock=self.clock),  # type: ignore[arg-type]
            self.deletes,
            service="s",
            max_receive_count=DEFAULTS.max_receive_count,
            retry_base_s=DEFAULTS.retry_base_s,
            retry_max_s=DEFAULTS.retry_max_s,
            give_up_after_s=DEFAULTS.give_up_after_s,
            on_retry=lambda _delivery, _retry, run: run,
            on_parked=lambda _delivery, _reason, _error: None,
            on_settled=self._settled,
            utc_now=self._utc_now,
        )

    def step(self) -> None:
        if self.clock() >= self.turn_at:
            self.turn_at = self.clock() + self.keeper.turn()
            until(lambda: not self.keeper._probing)
        if not self.polling.paused and (message := self.queue.receive()):
            self._handle(message)
        self.deletes.send_due(everything=True)

    def _handle(self, message: dict[str, Any]) -> None:
        envelope = read_envelope(message, self._utc_now())
        held = Held(
            SourceQueue("queue", "dlq"), message, received_at=self.clock(), visibility_s=300, clock=self.clock
        )
        held.delivery = Delivery(
            body=message["Body"],
            message_id=message["MessageId"],
            receive_count=envelope.receive_count,
            group_id=None,
            first_seen=envelope.first_seen,
            sent_at=envelope.sent_at,
            handovers=envelope.handovers,
            lineage=envelope.lineage,
            progress=envelope.progress,
            failures=envelope.failures,
            cancellation=Cancellation(),
            clock=self.clock,
        )
        self.settler.settle(held, self.work(self))

    def _settled(self, outcome: Outcome | Crashed) -> None:
        assert isinstance(outcome, (Done, Retry, Park)), outcome
        if isinstance(outcome, Done):
            self.done.append("done")

    def _utc_now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)


def list_a_job(process: Process) -> Outcome:
    try:
        process.api.job_status("job", wait=lambda _pause_s: None)
        process.api.list_files("job", wait=lambda _pause_s: None)
    except (ApiError, CircuitOpen) as error:
        return Retry(reason=type(error).__name__, error=str(error), at_least_s=error.retry_after_s)
    return Done()


def download_an_archive(process: Process) -> Outcome:
    try:
        with process.circuits.call(HOST):
            process.vendor.download()
    except (DownloadFailed, CircuitOpen) as error:
        outcome = outcome_of(error)
        assert outcome is not None
        return outcome
    return Done()


def always(_number: int) -> bool:
    return True


def two_of_three(number: int) -> bool:
    return number % 3 > 0


@pytest.mark.parametrize(
    ("down", "failing"),
    [
        ({STATUS}, always),
        ({LISTING}, always),
        ({HOST}, always),
        ({SECRET}, always),
        ({STATUS, HOST}, always),
        ({LISTING, SECRET}, always),
        ({STATUS, LISTING, HOST, SECRET}, always),
        ({LISTING}, two_of_three),
        ({STATUS, HOST}, two_of_three),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else value.__name__,
)
def test_nothing_is_parked_and_everything_is_done_soon_after(
    down: set[str], failing: Callable[[int], bool], clock: Clock
) -> None:
    store, vendor = Store(), Vendor(clock, frozenset(down), failing)
    jobs, archives = Queue(clock), Queue(clock)
    fleet = [
        Process(jobs, clock, store, vendor, list_a_job, frozenset((STATUS, LISTING, SECRET)))
        for _ in range(2)
    ] + [Process(archives, clock, store, vendor, download_an_archive, frozenset((HOST,))) for _ in range(3)]
    while jobs.messages or archives.messages or vendor.now < WORK:
        if vendor.now < WORK:
            for queue in (jobs, archives):
                queue.send_message(QueueUrl="queue", MessageBody=str(vendor.now))
        for process in fleet:
            process.step()
        clock.advance(1)
        assert vendor.now < OUTAGE_S + 1_200, f"{len(jobs.messages)} jobs, {len(archives.messages)} archives"
    assert jobs.parked == []
    assert archives.parked == []
    assert sum(len(process.done) for process in fleet) == 2 * WORK
    if failing is always:
        for what in down - ({STATUS, LISTING} if SECRET in down else set()):
            # From when its circuit is open: one probe of the whole fleet in 30 s, and nothing else.
            times = [at for asked, at in vendor.asked if asked == what and 60 < at < OUTAGE_S]
            assert 3 <= len(times) <= 5, times
            assert all(later - earlier >= 30 for earlier, later in itertools.pairwise(times)), times
