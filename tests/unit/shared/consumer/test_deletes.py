"""Deletes in batches, repeated where they fail."""

from typing import Any

from runtime.shared.consumer.deletes import MAX_ATTEMPTS, DeleteBuffer
from tests.unit.conftest import Clock


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
