"""The consumer against a real SQS protocol: outcomes, hand-overs, loss, and a stop that leaves nothing
behind.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime.shared.consumer import (
    Cancelled,
    Consumer,
    ConsumerOptions,
    Delivery,
    Done,
    FailureRun,
    LeaseLost,
    Outcome,
    Park,
    Retry,
    SourceQueue,
    Yield,
)
from runtime.shared.health import Health
from tests.unit.conftest import Aws, until

OPTIONS = ConsumerOptions(
    service="tested",
    slots=4,
    poll_wait_s=1,
    visibility_s=20,
    heartbeat_interval_s=5,
    max_receive_count=3,
    retry_base_s=0.1,
    retry_max_s=1,
    delete_delay_s=0.05,
)


class Running:
    """A started consumer that the fixture stops."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self.consumers: list[Consumer] = []

    def __call__(
        self,
        handler: Callable[[Delivery], Outcome],
        *queues: SourceQueue,
        options: ConsumerOptions = OPTIONS,
        **hooks: Any,
    ) -> Consumer:
        consumer = Consumer(queues, handler, options, sqs=self._aws.sqs, polling=self._aws.sqs, **hooks)
        self.consumers.append(consumer)
        consumer.start()
        return consumer


@pytest.fixture
def run(aws: Aws) -> Iterator[Running]:
    running = Running(aws)
    yield running
    for consumer in running.consumers:
        consumer.stop(3)


@pytest.fixture
def queue(aws: Aws) -> SourceQueue:
    return aws.queue()


def send(aws: Aws, queue: SourceQueue, *bodies: str, **options: Any) -> None:
    for body in bodies:
        aws.sqs.send_message(QueueUrl=queue.url, MessageBody=body, **options)


def test_done_deletes_every_message(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, *map(str, range(12)))
    seen: set[str] = set()

    def handle(delivery: Delivery) -> Outcome:
        seen.add(delivery.body)
        return Done()

    run(handle, queue)
    until(lambda: len(seen) == 12)
    until(lambda: aws.depth(queue.url) == 0)


def test_a_quick_message_does_not_wait_for_a_slow_one(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, "slow", *map(str, range(8)))
    release, quick = threading.Event(), []

    def handle(delivery: Delivery) -> Outcome:
        if delivery.body == "slow":
            release.wait(20)
        else:
            quick.append(delivery.body)
        return Done()

    run(handle, queue)
    until(lambda: len(quick) == 8)
    release.set()
    until(lambda: aws.depth(queue.url) == 0)


def test_failures_of_others_cost_time_and_no_receive(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, "body", MessageGroupId="g")
    seen: list[Delivery] = []
    parked: list[tuple[str, str]] = []

    def handle(delivery: Delivery) -> Outcome:
        seen.append(delivery)
        return Retry(reason=f"upstream-{len(seen)}", error="it is down")

    started = time.monotonic()
    run(
        handle,
        queue,
        options=replace(OPTIONS, retry_base_s=0, give_up_after_s=1.5),
        on_parked=lambda _delivery, reason, error: parked.append((reason, error)),
    )
    until(lambda: aws.depth(queue.dlq_url) == 1)
    assert time.monotonic() - started >= 1.5
    until(lambda: aws.depth(queue.url) == 0)
    assert len(seen) > OPTIONS.max_receive_count
    assert {delivery.receive_count for delivery in seen} == {1}
    assert {delivery.group_id for delivery in seen} == {"g"}
    ((reason, error),) = parked
    assert reason == "retries-exhausted"
    assert error.startswith(
        f"upstream-{len(seen)}: it is down (failing for 0.0 h, {len(seen)} times, at first"
    )
    assert error.endswith("with upstream-1)")


def test_a_failure_may_have_less_time_and_a_reason_of_its_own(
    aws: Aws, run: Running, queue: SourceQueue
) -> None:
    send(aws, queue, "body")
    parked: list[str] = []
    run(
        lambda _: Retry(
            reason="not-the-archive", error="a page", exhausted="not-a-zip", exhausted_after_s=0.5
        ),
        queue,
        options=replace(OPTIONS, retry_base_s=0, give_up_after_s=86_400),
        on_parked=lambda _delivery, reason, _error: parked.append(reason),
    )
    until(lambda: aws.depth(queue.dlq_url) == 1)
    assert parked == ["not-a-zip"]


def test_the_time_of_a_failures_own_counts_only_failures_like_it(
    aws: Aws, run: Running, queue: SourceQueue
) -> None:
    send(aws, queue, "body")
    now = datetime.now(UTC)
    # A day of outage, and then, for the first time, a page.
    outage = FailureRun(now - timedelta(days=1), 96, "circuit-open", alike_since=now)
    ended: list[Outcome] = []

    def handle(_: Delivery) -> Outcome:
        ended.append(
            Done()
            if ended
            else Retry(reason="not-the-archive", error="a page", exhausted="x", exhausted_after_s=3_600)
        )
        return ended[-1]

    run(
        handle,
        queue,
        options=replace(OPTIONS, retry_base_s=0, give_up_after_s=3 * 86_400),
        on_retry=lambda _delivery, _retry, _run: outage,
    )
    until(lambda: len(ended) == 2)
    until(lambda: aws.depth(queue.url) == 0)
    assert aws.depth(queue.dlq_url) == 0


def test_progress_begins_a_new_run_of_failures(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, "body")
    runs: list[FailureRun] = []

    def handle(delivery: Delivery) -> Outcome:
        if len(runs) == 2:
            delivery.advanced()
        return Retry(reason="upstream", error="it is down") if len(runs) < 4 else Done()

    def remember(_delivery: Delivery, _retry: Retry, run: FailureRun) -> FailureRun:
        runs.append(run)
        return run

    run(handle, queue, options=replace(OPTIONS, retry_base_s=0), on_retry=remember)
    until(lambda: len(runs) == 4)
    until(lambda: aws.depth(queue.url) == 0)
    assert [found.count for found in runs] == [1, 2, 1, 2]
    assert runs[0].since == runs[1].since < runs[2].since == runs[3].since


def test_the_services_own_record_decides_and_its_failure_parks_nothing(
    aws: Aws, run: Running, queue: SourceQueue
) -> None:
    send(aws, queue, "body")
    calls: list[FailureRun] = []

    def remember(_delivery: Delivery, _retry: Retry, run: FailureRun) -> FailureRun:
        calls.append(run)
        if len(calls) < 3:
            raise RuntimeError("the ledger is away")
        return replace(run, since=run.since - timedelta(days=30))

    run(
        lambda _delivery: Retry(reason="upstream", error="it is down", exhausted="gone-for-good"),
        queue,
        options=replace(OPTIONS, retry_base_s=0, give_up_after_s=86_400),
        on_retry=remember,
    )
    until(lambda: aws.depth(queue.dlq_url) == 1)
    assert [found.count for found in calls] == [1, 2, 3]
    (letter,) = aws.drain(queue.dlq_url)
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "gone-for-good"


def test_a_handler_that_fails_unforeseen_spends_receives_and_is_parked_as_a_crash_loop(
    aws: Aws, run: Running, queue: SourceQueue
) -> None:
    send(aws, queue, "body")
    counts: list[int] = []

    def handle(delivery: Delivery) -> Outcome:
        counts.append(delivery.receive_count)
        raise ZeroDivisionError("by nothing")

    run(handle, queue)
    until(lambda: aws.depth(queue.dlq_url) == 1)
    until(lambda: aws.depth(queue.url) == 0)
    assert counts == [1, 2, 3]
    (letter,) = aws.drain(queue.dlq_url)
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "crash-loop"
    assert "ZeroDivisionError: by nothing" in letter["MessageAttributes"]["error"]["StringValue"]


def crashes(aws: Aws, queue: SourceQueue, times: int) -> None:
    """Receive the queue's one message and die, so often."""
    for _ in range(times):
        assert aws.sqs.receive_message(QueueUrl=queue.url, VisibilityTimeout=0)["Messages"]


def test_a_message_that_ends_its_process_each_time_is_parked_unhandled(
    aws: Aws, run: Running, queue: SourceQueue
) -> None:
    send(aws, queue, "body")
    crashes(aws, queue, OPTIONS.max_receive_count)
    handled: list[str] = []
    parked: list[str] = []

    def handle(delivery: Delivery) -> Outcome:
        handled.append(delivery.body)
        return Done()

    run(handle, queue, on_parked=lambda _delivery, reason, _error: parked.append(reason))
    until(lambda: aws.depth(queue.dlq_url) == 1)
    until(lambda: aws.depth(queue.url) == 0)
    assert parked == ["crash-loop"]
    assert not handled


def test_a_crash_loop_that_cannot_be_parked_yet_is_not_handled_either(
    aws: Aws, run: Running, queue: SourceQueue
) -> None:
    send(aws, queue, "body")
    crashes(aws, queue, OPTIONS.max_receive_count)
    handled: list[str] = []
    calls: list[int] = []

    def handle(delivery: Delivery) -> Outcome:
        handled.append(delivery.body)
        return Done()

    def hook(delivery: Delivery, _reason: str, _error: str) -> None:
        calls.append(delivery.receive_count)
        if len(calls) == 1:
            raise LeaseLost("whoever crashed still holds it")
        if len(calls) == 2:
            raise RuntimeError("the ledger is away")

    run(handle, queue, on_parked=hook)
    until(lambda: aws.depth(queue.dlq_url) == 1)
    assert not handled
    assert calls == [4, 5, 6]


def test_parking_keeps_the_body_and_says_why(aws: Aws, run: Running, queue: SourceQueue) -> None:
    foreign = {"colour": {"DataType": "String", "StringValue": "blue"}}
    send(aws, queue, "the body", MessageAttributes=foreign, MessageGroupId="g")
    order: list[int] = []

    def handle(delivery: Delivery) -> Outcome:
        delivery.correlation_id = "corr"
        return Park("bad", "a\x00b")

    run(handle, queue, on_parked=lambda *_: order.append(aws.depth(queue.dlq_url)))
    until(lambda: aws.depth(queue.url) == 0)
    assert order == [0]
    (letter,) = aws.drain(queue.dlq_url)
    assert letter["Body"] == "the body"
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes.pop("first_seen").endswith("+00:00")
    assert attributes == {
        "colour": "blue",
        "reason": "bad",
        "error": "a\ufffdb",
        "service": "tested",
        "correlation_id": "corr",
    }
    assert letter["Attributes"]["MessageGroupId"] == "g"


def test_a_slow_parking_hook_keeps_its_message(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, "body")
    parked = threading.Event()

    def hook(delivery: Delivery, _reason: str, _error: str) -> None:
        # Longer than the visibility lasts without a heartbeat.
        delivery.cancellation.wait(2.5)
        parked.set()

    run(
        lambda _delivery: Park("bad", "x"),
        queue,
        options=replace(OPTIONS, visibility_s=2, heartbeat_interval_s=0.5),
        on_parked=hook,
    )
    assert parked.wait(15)
    until(lambda: aws.depth(queue.url) == 0)
    assert len(aws.drain(queue.dlq_url)) == 1


def test_what_somebody_else_works_on_is_handed_over_instead_of_parked(
    aws: Aws, run: Running, queue: SourceQueue
) -> None:
    send(aws, queue, "body")
    handovers: list[int] = []

    def hook(delivery: Delivery, _reason: str, _error: str) -> None:
        handovers.append(delivery.handovers)
        if len(handovers) == 1:
            raise LeaseLost("it is being worked on")

    run(lambda _delivery: Park("bad", "x"), queue, on_parked=hook)
    until(lambda: len(aws.drain(queue.dlq_url)) == 1)
    assert handovers == [0, 1]


def test_a_parking_hook_that_fails_keeps_the_message(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, "body")
    calls: list[str] = []

    def hook(_delivery: Delivery, reason: str, _error: str) -> None:
        calls.append(reason)
        if len(calls) == 1:
            raise RuntimeError("the ledger is away")

    run(lambda _delivery: Park("bad", "x"), queue, on_parked=hook)
    until(lambda: len(aws.drain(queue.dlq_url)) == 1)
    assert calls == ["bad", "bad"]


def test_a_yield_carries_progress_and_spends_no_receive(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, "body", MessageGroupId="job")
    seen: list[Delivery] = []

    def handle(delivery: Delivery) -> Outcome:
        seen.append(delivery)
        return Yield("later", {"page": delivery.handovers}) if delivery.handovers < 4 else Done()

    run(handle, queue)
    until(lambda: len(seen) == 5)
    until(lambda: aws.depth(queue.url) == 0)
    assert [delivery.progress for delivery in seen] == [
        {},
        {"page": 0},
        {"page": 1},
        {"page": 2},
        {"page": 3},
    ]
    assert {delivery.receive_count for delivery in seen} == {1}
    assert {delivery.group_id for delivery in seen} == {"job"}
    assert len({delivery.first_seen for delivery in seen}) == 1
    assert len({delivery.message_id for delivery in seen}) == 5


def test_nothing_is_polled_while_paused(aws: Aws, run: Running, queue: SourceQueue) -> None:
    seen: list[str] = []

    def handle(delivery: Delivery) -> Outcome:
        seen.append(delivery.body)
        return Done()

    consumer = Consumer([queue], handle, OPTIONS, sqs=aws.sqs, polling=aws.sqs)
    consumer.pause("a")
    consumer.pause("b")
    consumer.start()
    try:
        send(aws, queue, "body")
        consumer.resume("a")
        before = consumer.ages().poll_s
        until(lambda: consumer.ages().poll_s < before or consumer.ages().poll_s < 0.5)
        assert aws.visible(queue.url) == 1
        assert not seen
        consumer.resume("b")
        until(lambda: seen == ["body"])
    finally:
        consumer.stop(3)


def test_two_queues_are_both_served(aws: Aws, run: Running) -> None:
    heavy, light = replace(aws.queue(), weight=3), aws.queue()
    send(aws, heavy, *["heavy"] * 6)
    send(aws, light, *["light"] * 6)
    seen: list[str] = []

    def handle(delivery: Delivery) -> Outcome:
        seen.append(delivery.body)
        return Done()

    run(handle, heavy, light)
    until(lambda: len(seen) == 12)


def test_a_lost_lease_abandons_the_message(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, "body")
    causes: list[str] = []

    def lost() -> None:
        raise LeaseLost("taken over")

    def handle(delivery: Delivery) -> Outcome:
        delivery.keep_alive(lost)
        assert delivery.cancellation.wait(10)
        causes.append(str(delivery.cancellation.cause))
        return Park("bad", "a zombie must not park")

    run(handle, queue, options=replace(OPTIONS, heartbeat_interval_s=0.2))
    until(lambda: causes == ["lease-lost"])
    until(lambda: run.consumers[0].ages().in_hand == 0)
    assert aws.depth(queue.dlq_url) == 0
    assert aws.depth(queue.url) == 1


def test_work_is_handed_over_before_the_time_cap(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, "body")
    seen: list[Any] = []

    def handle(delivery: Delivery) -> Outcome:
        seen.append(delivery.progress)
        if delivery.handovers:
            return Done()
        delivery.save_progress({"done": 7})
        delivery.cancellation.wait(10)
        delivery.cancellation.raise_if_set()
        raise AssertionError

    run(handle, queue, options=replace(OPTIONS, handover_after_s=0.3, heartbeat_interval_s=0.2))
    until(lambda: seen == [{}, {"done": 7}])
    until(lambda: aws.depth(queue.url) == 0)


def test_an_idle_consumer_stops_at_once(aws: Aws, run: Running, queue: SourceQueue) -> None:
    consumer = run(lambda _delivery: Done(), queue, options=replace(OPTIONS, poll_wait_s=20))
    until(lambda: consumer.ages().poll_s > 0.1)
    started = time.monotonic()
    assert consumer.stop(30)
    assert time.monotonic() - started < 1


def test_a_message_brought_by_an_abandoned_poll_is_not_lost(
    aws: Aws, run: Running, queue: SourceQueue
) -> None:
    handled: list[str] = []

    def handle(delivery: Delivery) -> Outcome:
        handled.append(delivery.body)
        return Done()

    consumer = run(handle, queue, options=replace(OPTIONS, poll_wait_s=2))
    until(lambda: consumer.ages().poll_s > 0.1)
    consumer.stop(30)
    send(aws, queue, "late")
    until(lambda: aws.visible(queue.url) == 1 and aws.depth(queue.url) == 1)
    assert not handled


def test_thirty_two_busy_slots_hand_over_in_time(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, *map(str, range(32)))
    running = threading.Semaphore(0)

    def handle(delivery: Delivery) -> Outcome:
        delivery.save_progress({"body": delivery.body})
        running.release()
        delivery.cancellation.wait(60)
        # A closed socket surfaces as a failure of the work; it is the stop's, not the message's.
        return Retry(reason="reset", error="connection reset")

    consumer = run(handle, queue, options=replace(OPTIONS, slots=32))
    for _ in range(32):
        assert running.acquire(timeout=30)
    started = time.monotonic()
    assert consumer.stop(30)
    assert time.monotonic() - started < 10
    messages = aws.drain(queue.url)
    assert sorted(int(message["Body"]) for message in messages) == list(range(32))
    assert all(message["MessageAttributes"]["handovers"]["StringValue"] == "1" for message in messages)
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in messages} == {"1"}


def test_a_handler_that_will_not_stop_is_handed_over_without_it(
    aws: Aws, run: Running, queue: SourceQueue
) -> None:
    send(aws, queue, "body")
    started, release = threading.Event(), threading.Event()

    def handle(delivery: Delivery) -> Outcome:
        delivery.save_progress({"page": 3})
        started.set()
        release.wait(30)
        return Park("bad", "too late to say anything")

    consumer = run(handle, queue)
    assert started.wait(15)
    assert not consumer.stop(0.3)
    # The consumer's own last long poll may have brought it once more, and hands it over again.
    (message,) = aws.sqs.receive_message(
        QueueUrl=queue.url, WaitTimeSeconds=15, MessageAttributeNames=["All"]
    )["Messages"]
    assert message["MessageAttributes"]["progress"]["StringValue"] == '{"page":3}'
    release.set()
    until(lambda: consumer.ages().in_hand == 0)
    assert aws.depth(queue.dlq_url) == 0


def test_a_deadlock_on_purpose_is_found(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, "a", "b")
    release = threading.Event()

    def handle(_delivery: Delivery) -> Outcome:
        release.wait(30)
        return Done()

    consumer = run(handle, queue, options=replace(OPTIONS, slots=2))
    health = Health(consumer.ages, liveness_limit_s=10, stall_limit_s=0.5)
    assert health.live().ok
    verdict = until(lambda: not (judged := health.live()).ok and judged)
    assert verdict.detail["problems"] == ["every slot is stuck"]
    release.set()
    until(lambda: health.live().ok)


def test_progress_keeps_a_full_house_alive(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, "a")
    release, deliveries = threading.Event(), []

    def handle(delivery: Delivery) -> Outcome:
        deliveries.append(delivery)
        release.wait(30)
        return Done()

    consumer = run(handle, queue, options=replace(OPTIONS, slots=1))
    until(lambda: consumer.ages().least_stalled_s > 0.3)
    deliveries[0].progressed()
    assert consumer.ages().least_stalled_s < 0.3
    release.set()


def test_busy_is_said_on_changes_only(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, *map(str, range(4)))
    changes: list[bool] = []
    barrier = threading.Barrier(4)

    def handle(_delivery: Delivery) -> Outcome:
        barrier.wait(15)
        return Done()

    run(handle, queue, on_busy=changes.append)
    until(lambda: changes == [True, False])


def test_cancelled_work_of_a_lost_receipt_touches_nothing(aws: Aws, run: Running, queue: SourceQueue) -> None:
    send(aws, queue, "body")

    def handle(delivery: Delivery) -> Outcome:
        delivery.cancellation.set("receipt-lost")
        raise Cancelled("receipt-lost")

    consumer = run(handle, queue, options=replace(OPTIONS, visibility_s=30))
    until(lambda: aws.visible(queue.url) == 0)
    until(lambda: consumer.ages().in_hand == 0)
    assert aws.depth(queue.url) == 1
