"""The heartbeat on an injected clock, against an SQS that answers as told."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from runtime.shared.consumer.cancellation import Cancellation, LeaseLost
from runtime.shared.consumer.delivery import Delivery
from runtime.shared.consumer.heartbeat import Heartbeat
from runtime.shared.consumer.held import Held
from runtime.shared.consumer.lineage import Lineage
from runtime.shared.consumer.queues import SourceQueue, read_envelope
from tests.unit.conftest import Clock, until

QUEUE = SourceQueue("http://sqs/queue", "http://sqs/dlq")
VISIBILITY_S, INTERVAL_S = 300.0, 60.0


class Sqs:
    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.failed: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.gate: threading.Event | None = None
        self.takes: Callable[[], None] = lambda: None
        self.entered = threading.Event()

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
        self.calls.append(Entries)
        self.takes()
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        failed = {failure["Id"] for failure in self.failed}
        return {"Successful": [e for e in Entries if e["Id"] not in failed], "Failed": self.failed}


@pytest.fixture
def sqs() -> Sqs:
    return Sqs()


@pytest.fixture
def heartbeat(sqs: Sqs, clock: Clock) -> Heartbeat:
    return Heartbeat(
        sqs,  # type: ignore[arg-type]
        visibility_s=VISIBILITY_S,
        interval_s=INTERVAL_S,
        handover_after_s=39_600,
        clock=clock,
    )


def hold(heartbeat: Heartbeat, clock: Clock, name: str = "m") -> Held:
    message = {"ReceiptHandle": f"receipt-{name}", "MessageId": name, "Body": "{}"}
    held = Held(QUEUE, message, received_at=clock(), visibility_s=VISIBILITY_S, clock=clock)
    from datetime import UTC, datetime

    envelope = read_envelope(message, datetime.now(UTC))
    held.delivery = Delivery(
        body="{}",
        message_id=name,
        receive_count=envelope.receive_count,
        group_id=None,
        first_seen=envelope.first_seen,
        sent_at=envelope.sent_at,
        handovers=0,
        lineage=Lineage("message"),
        progress={},
        cancellation=Cancellation(held.expired),
        clock=clock,
    )
    heartbeat.track(held)
    return held


def test_what_is_due_is_extended_in_batches_of_ten(heartbeat: Heartbeat, sqs: Sqs, clock: Clock) -> None:
    for number in range(25):
        hold(heartbeat, clock, str(number))
    heartbeat.tick()
    assert not sqs.calls
    clock.advance(INTERVAL_S)
    heartbeat.tick()
    assert [len(entries) for entries in sqs.calls] == [10, 10, 5]
    assert {entry["VisibilityTimeout"] for entries in sqs.calls for entry in entries} == {300}
    heartbeat.tick()
    assert len(sqs.calls) == 3


@pytest.mark.parametrize("outage_s", [0, 150])
def test_a_thousand_in_flight_keep_their_receipts(
    heartbeat: Heartbeat, sqs: Sqs, clock: Clock, outage_s: int
) -> None:
    """Taken on over minutes as polls bring them; each call takes what SQS's usually do, or none succeeds for
    half of the visibility.
    """
    sqs.takes = lambda: clock.advance(0.02)
    unreachable = EndpointConnectionError(endpoint_url="sqs")
    held: list[Held] = []
    began = clock()
    while (now_s := clock() - began) < 500:
        if len(held) < 1_000:
            held += [hold(heartbeat, clock, str(len(held) + number)) for number in range(10)]
        sqs.error = unreachable if 250 < now_s < 250 + outage_s else None
        clock.advance(2)
        heartbeat.tick()
        assert clock() - min(one.extended_at for one in held) < VISIBILITY_S - INTERVAL_S
    assert not any(one.delivery.cancellation.is_set() for one in held)
    assert sum(map(len, sqs.calls)) > 9 * len(sqs.calls)
    if not outage_s:
        # A beat of a thousand is a hundred calls: some seconds of this one thread.
        assert len(sqs.calls) <= 100 * 500 / (0.75 * INTERVAL_S)


def test_those_nearly_due_go_along(heartbeat: Heartbeat, sqs: Sqs, clock: Clock) -> None:
    hold(heartbeat, clock, "first")
    clock.advance(10)
    hold(heartbeat, clock, "soon")
    clock.advance(40)
    hold(heartbeat, clock, "new")
    clock.advance(10)
    heartbeat.tick()
    assert [entry["ReceiptHandle"] for entry in sqs.calls[0]] == ["receipt-first", "receipt-soon"]


def test_a_lost_receipt_cancels_its_work_only(heartbeat: Heartbeat, sqs: Sqs, clock: Clock) -> None:
    lost, kept = hold(heartbeat, clock, "a"), hold(heartbeat, clock, "b")
    clock.advance(INTERVAL_S)
    order = []
    sqs.failed = [{"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}]
    heartbeat.tick()
    order = [entry["ReceiptHandle"] for entry in sqs.calls[0]]
    first = lost if order[0] == "receipt-a" else kept
    assert first.delivery.cancellation.cause == "receipt-lost"
    assert {lost.delivery.cancellation.cause, kept.delivery.cancellation.cause} == {"receipt-lost", None}


def test_a_failure_of_the_service_is_tried_again_until_the_visibility_ends(
    heartbeat: Heartbeat, sqs: Sqs, clock: Clock
) -> None:
    held = hold(heartbeat, clock)
    sqs.error = EndpointConnectionError(endpoint_url="http://sqs")
    for _ in range(4):
        clock.advance(INTERVAL_S)
        heartbeat.tick()
    assert len(sqs.calls) == 4
    assert not held.delivery.cancellation.is_set()
    clock.advance(INTERVAL_S + 1)
    heartbeat.tick()
    assert held.delivery.cancellation.cause == "receipt-lost"
    assert len(sqs.calls) == 4


def test_after_a_long_freeze_the_work_is_lost_without_asking(
    heartbeat: Heartbeat, sqs: Sqs, clock: Clock
) -> None:
    held = hold(heartbeat, clock)
    closed = threading.Event()
    held.delivery.cancellation.on_cancel(closed.set)
    clock.advance(VISIBILITY_S + 1)
    # The handler's thread may well run before the heartbeat's.
    assert held.delivery.cancellation.is_set()
    assert held.delivery.cancellation.lost
    assert closed.is_set()
    heartbeat.tick()
    assert not sqs.calls


def test_the_time_cap_cancels_and_extensions_stay_inside_twelve_hours(
    heartbeat: Heartbeat, sqs: Sqs, clock: Clock
) -> None:
    held = hold(heartbeat, clock)
    while clock() - held.received_at < 43_200:
        clock.advance(INTERVAL_S)
        heartbeat.tick()
        if sqs.calls and clock() - held.received_at <= 39_600:
            assert held.delivery.cancellation.cause is None
    assert held.delivery.cancellation.cause in {"time-cap", "receipt-lost"}
    for number, (entry,) in enumerate(sqs.calls, start=1):
        assert number * INTERVAL_S + entry["VisibilityTimeout"] <= 43_200
        assert entry["VisibilityTimeout"] > INTERVAL_S


def test_untracking_waits_for_the_call_in_flight(heartbeat: Heartbeat, sqs: Sqs, clock: Clock) -> None:
    held = hold(heartbeat, clock)
    clock.advance(INTERVAL_S)
    sqs.gate = threading.Event()
    ticking = threading.Thread(target=heartbeat.tick)
    ticking.start()
    assert sqs.entered.wait(10)
    untracked = threading.Event()
    settling = threading.Thread(target=lambda: (heartbeat.untrack(held), untracked.set()))
    settling.start()
    assert not untracked.wait(0.1)
    sqs.gate.set()
    assert untracked.wait(10)
    ticking.join()
    clock.advance(INTERVAL_S)
    heartbeat.tick()
    assert len(sqs.calls) == 1


def test_renewals_run_at_each_beat_and_a_lost_lease_cancels(
    heartbeat: Heartbeat, sqs: Sqs, clock: Clock
) -> None:
    heartbeat.start()
    held = hold(heartbeat, clock)
    renewed: list[int] = []

    def renew() -> None:
        renewed.append(1)
        if len(renewed) == 2:
            raise RuntimeError("a hiccup is not a loss")
        if len(renewed) == 3:
            raise LeaseLost("taken over")

    held.delivery.keep_alive(renew)
    for expected in (1, 2, 3):
        clock.advance(INTERVAL_S)
        until(lambda expected=expected: len(renewed) == expected)  # type: ignore[misc]
    until(lambda: held.delivery.cancellation.cause == "lease-lost")
    heartbeat.stop()
