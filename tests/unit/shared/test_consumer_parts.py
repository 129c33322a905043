"""Slots, deletes, copies, back-off, envelopes and cancellation, each on its own."""

import json
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.shared.consumer import copies
from runtime.shared.consumer.backoff import MAX_PAUSE_S, VISIBILITY_CAP_S, full_jitter, visibility_for
from runtime.shared.consumer.cancellation import Cancellation, Cancelled
from runtime.shared.consumer.deletes import MAX_ATTEMPTS, DeleteBuffer
from runtime.shared.consumer.queues import read_envelope
from runtime.shared.consumer.slots import SlotPool
from tests.unit.conftest import Clock

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.integers(-5, 10**9), st.floats(0.01, 1e4), st.floats(0.01, MAX_PAUSE_S))
def test_back_off_stays_between_zero_and_its_ceiling(attempt: int, base_s: float, max_s: float) -> None:
    assert full_jitter(attempt, base_s=base_s, max_s=max_s, uniform=lambda low, _high: low) == 0
    ceiling = full_jitter(attempt, base_s=base_s, max_s=max_s, uniform=lambda _low, high: high)
    assert ceiling <= max_s
    assert ceiling >= min(base_s, max_s)


@given(st.floats(allow_nan=False), st.floats(0, 1e6))
def test_no_visibility_ends_beyond_twelve_hours(delay_s: float, held_s: float) -> None:
    seconds = visibility_for(delay_s, held_s)
    assert seconds >= 0
    assert seconds == 0 or seconds + held_s < VISIBILITY_CAP_S


def test_slots_go_to_the_queue_that_had_least_for_its_weight() -> None:
    pool = SlotPool(2, {"heavy": 3, "light": 1})
    assert pool.reserve("light", 1, 0) == 1  # one slot stays taken, so that the two compete for the other
    served: list[str] = []
    turns = threading.Semaphore(0)

    def take(name: str) -> None:
        while len(served) < 40:
            if pool.reserve(name, 10, 0.2):
                served.append(name)
                turns.release()

    threads = [threading.Thread(target=take, args=(name,)) for name in ("heavy", "light")]
    for thread in threads:
        thread.start()
    for _ in range(40):
        assert turns.acquire(timeout=5)
        # Both wait again before the slot is free, as busy queues do.
        for _ in range(200):
            if len(pool._waiting) == 2:
                break
            threading.Event().wait(0.001)
        pool.release()
    for thread in threads:
        thread.join()
    assert 25 <= served[:40].count("heavy") <= 33


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 10), st.integers(0, 10)), max_size=40))
def test_slots_are_never_oversubscribed(turns: list[tuple[str, int, int]]) -> None:
    pool = SlotPool(5, {"a": 1, "b": 2})
    held = 0
    for queue, limit, used in turns:
        granted = pool.reserve(queue, limit, 0)
        assert granted <= limit
        kept = min(used, granted)
        pool.refund(queue, granted - kept)
        held += kept
        assert held <= 5
        if held:
            pool.release()
            held -= 1
    assert pool.reserve("a", 10, 0) == 5 - held


def test_an_admission_holds_slots_back_below_the_ceiling() -> None:
    room = {"now": 3}
    pool = SlotPool(100, {"a": 1}, lambda in_use: room["now"] - in_use)
    assert pool.reserve("a", 10, 0) == 3
    assert pool.full
    assert pool.reserve("a", 10, 0) == 0
    room["now"] = 200
    assert not pool.full
    assert [pool.reserve("a", 60, 0) for _ in range(3)] == [60, 37, 0]
    room["now"] = 1  # fewer than are in use: nothing is taken back, nothing more is given
    pool.release()
    assert pool.reserve("a", 10, 0) == 0


def test_fewer_slots_than_queues_are_refused() -> None:
    with pytest.raises(ValueError, match="2 queues need"):
        SlotPool(1, {"a": 1, "b": 1})


class DeletingSqs:
    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, list[str]]] = []

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> Any:  # noqa: N803
        self.calls.append((QueueUrl, [entry["ReceiptHandle"] for entry in Entries]))
        return self.answers.pop(0) if self.answers else {"Successful": Entries}


def test_deletes_wait_for_company_but_not_for_long(clock: Clock) -> None:
    sqs = DeletingSqs()
    buffer = DeleteBuffer(sqs, delay_s=0.5, clock=clock)  # type: ignore[arg-type]
    for number in range(9):
        buffer.add("q", str(number), "m")
    buffer.send_due()
    assert not sqs.calls
    buffer.add("q", "9", "m")
    buffer.add("other", "x", "m")
    buffer.send_due()
    assert sqs.calls == [("q", [str(number) for number in range(10)])]
    clock.advance(0.6)
    buffer.send_due()
    assert sqs.calls[1:] == [("other", ["x"])]


def test_failed_entries_of_a_200_are_deleted_again_and_refused_ones_are_not(clock: Clock) -> None:
    sqs = DeletingSqs(
        {
            "Failed": [
                {"Id": "0", "SenderFault": False, "Code": "InternalError"},
                {"Id": "1", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"},
            ]
        }
    )
    buffer = DeleteBuffer(sqs, delay_s=0.5, clock=clock)  # type: ignore[arg-type]
    for receipt in "abc":
        buffer.add("q", receipt, "m")
    clock.advance(1)
    buffer.send_due()
    clock.advance(10)
    buffer.send_due()
    assert [receipts for _, receipts in sqs.calls] == [["a", "b", "c"], ["a"]]


def test_a_flush_gives_up_in_the_end_and_says_how_much_is_left() -> None:
    sqs = DeletingSqs(*[{"Failed": [{"Id": "0", "SenderFault": False}]}] * (MAX_ATTEMPTS - 1))
    buffer = DeleteBuffer(sqs, delay_s=0.5)  # type: ignore[arg-type]
    buffer.add("q", "a", "m")
    assert buffer.flush(0) == 1
    assert buffer.flush(10) == 0


@given(
    st.text(max_size=300), st.dictionaries(st.sampled_from(["reason", "error", "x"]), st.text(max_size=300))
)
def test_attributes_fit_and_hold_only_what_sqs_takes(body: str, ours: dict[str, str]) -> None:
    body = body.encode("utf-8", "ignore").decode()
    foreign = {
        "kept": {"DataType": "String", "StringValue": "v"},
        "reason": {"DataType": "String", "StringValue": "old"},
    }
    fitted = copies.fit(body, foreign, ours)
    assert fitted["kept"]["StringValue"] == "v"
    for name, value in fitted.items():
        text = value["StringValue"]
        assert text
        assert name in {"kept", *ours}
        assert not copies._NOT_ALLOWED.search(text)
        text.encode()


def test_a_full_message_keeps_its_body_and_loses_our_remarks() -> None:
    body = "x" * (copies.MAX_MESSAGE_BYTES - 60)
    fitted = copies.fit(body, {}, {"reason": "not-a-zip", "error": "é" * 500, "progress": "{}"})
    size = len(body) + sum(len(n) + 6 + len(v["StringValue"].encode()) for n, v in fitted.items())
    assert size <= copies.MAX_MESSAGE_BYTES
    assert fitted["reason"]["StringValue"] == "not-a-zip"


def test_progress_that_does_not_fit_is_left_out_whole() -> None:
    body = "x" * (copies.MAX_MESSAGE_BYTES - 100)
    assert "progress" not in copies.fit(body, {}, {"progress": json.dumps({"a": "b" * 200})})


_texts = st.text(max_size=30) | st.sampled_from(
    ["1", "-1", "٣", "1e9", "{}", "[]", '{"a":1}', "2026-01-01T00:00:00", "[" * 9999]
)


@given(
    st.dictionaries(st.sampled_from(["ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"]), _texts),
    st.dictionaries(st.sampled_from(["first_seen", "handovers", "progress"]), _texts),
)
def test_an_envelope_is_read_whatever_it_holds(system: dict[str, str], custom: dict[str, str]) -> None:
    attributes = {name: {"DataType": "String", "StringValue": text} for name, text in custom.items()}
    envelope = read_envelope({"Attributes": system, "MessageAttributes": attributes}, NOW)
    assert envelope.receive_count >= 0
    assert envelope.first_seen.tzinfo is not None
    assert isinstance(envelope.progress, dict)


def test_a_redriven_message_starts_its_waits_again() -> None:
    seen = {"DataType": "String", "StringValue": "2025-01-01T00:00:00+00:00"}
    handed_over = {"MessageAttributes": {"first_seen": seen}}
    assert read_envelope(handed_over, NOW).first_seen.year == 2025
    redriven = {"MessageAttributes": {"first_seen": seen, "reason": {"StringValue": "export-not-ready"}}}
    assert read_envelope(redriven, NOW).first_seen == NOW


def test_the_first_cause_stays_unless_the_message_is_lost() -> None:
    cancellation = Cancellation()
    calls: list[str] = []
    forget = cancellation.on_cancel(lambda: calls.append("forgotten"))
    cancellation.on_cancel(lambda: calls.append("kept"))

    def fails() -> None:
        raise OSError

    cancellation.on_cancel(fails)
    forget()
    cancellation.set("stopping")
    cancellation.set("time-cap")
    assert cancellation.cause == "stopping"
    assert not cancellation.lost
    cancellation.set("lease-lost")
    cancellation.set("stopping")
    assert cancellation.lost
    cancellation.on_cancel(lambda: calls.append("late"))
    assert calls == ["kept", "late"]
    with pytest.raises(Cancelled):
        cancellation.raise_if_set()
