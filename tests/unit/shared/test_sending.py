"""Sending in batches: both limits, what is not taken at once, and what never is."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.shared.consumer.sqs_limits import MAX_MESSAGE_BYTES
from runtime.shared.sending import (
    MessagesRefused,
    NotSent,
    Outgoing,
    batches,
    group_id_for,
    send_all,
)


@given(st.lists(st.integers(0, 400_000), max_size=40))
def test_batches_respect_both_limits_and_keep_the_order(sizes: list[int]) -> None:
    messages = [Outgoing("x" * size) for size in sizes]
    grouped = list(batches(messages))
    assert [message for batch in grouped for message in batch] == messages
    assert all(0 < len(batch) <= 10 and sum(m.size for m in batch) <= MAX_MESSAGE_BYTES for batch in grouped)


class SendingSqs:
    def __init__(self, *failures: list[dict[str, Any]]) -> None:
        self.failures = list(failures)
        self.sent: list[list[str]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
        self.sent.append([entry["MessageBody"] for entry in Entries])
        return {"Failed": self.failures.pop(0) if self.failures else []}


def test_entries_that_a_200_did_not_take_are_sent_again() -> None:
    sqs = SendingSqs([{"Id": "1", "SenderFault": False}], [{"Id": "0", "SenderFault": False}])
    pauses: list[float] = []
    assert send_all(sqs, "q", map(Outgoing, "abc"), sleep=pauses.append) == 3  # type: ignore[arg-type]
    assert sqs.sent == [["a", "b", "c"], ["b"], ["b"]]
    assert len(pauses) == 2


def test_what_is_never_taken_is_said() -> None:
    stubborn = SendingSqs(*[[{"Id": "0", "SenderFault": False}]] * 6)
    with pytest.raises(NotSent):
        send_all(stubborn, "q", [Outgoing("a")], sleep=lambda _s: None)  # type: ignore[arg-type]


def test_a_refused_message_holds_no_other_back() -> None:
    refusal = {"Id": "1", "SenderFault": True, "Code": "InvalidMessageContents", "Message": "no"}
    sqs = SendingSqs([refusal, {"Id": "2", "SenderFault": False}])
    bodies = [*"abcdefghijkl", "x" * (MAX_MESSAGE_BYTES + 1), "m"]
    with pytest.raises(MessagesRefused, match="refuses 2 messages") as raised:
        send_all(sqs, "q", map(Outgoing, bodies), sleep=lambda _s: None)  # type: ignore[arg-type]
    assert sqs.sent == [list("abcdefghij"), ["c"], ["k", "l", "m"]]
    texts = {text for _, text in raised.value.refused}
    assert texts == {"InvalidMessageContents: no", "it has 1048577 bytes, SQS takes 1048576"}


@given(st.text(max_size=300) | st.text("abc-_", min_size=100, max_size=200))
def test_a_group_id_is_what_sqs_takes(text: str) -> None:
    group = group_id_for(text)
    assert re.fullmatch(r"[\x21-\x7e]{1,128}", group)
    assert group == group_id_for(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [("job-1", True), ("!~" * 64, True), ("x" * 129, False), ("a b", False), ("é", False), ("a\n", False)],
)
def test_a_group_id_is_kept_where_it_can_be(text: str, kept: bool) -> None:
    assert (group_id_for(text) == text) is kept
