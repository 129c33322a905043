"""Receipts over time, with a clock of the test's own."""

from local.faults.proxy.receipts import ReceiptRules, Ruling


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_cap_counts_from_the_receipt_and_not_from_the_sending() -> None:
    clock = Clock()
    rules = ReceiptRules(cap_s=43_200, clock=clock)
    clock.now = 1_000_000  # long after the message was sent
    rules.received("m", "r", 300)
    assert rules.judge_visibility("r", 43_200) is Ruling.FORWARD
    clock.now += 1
    assert rules.judge_visibility("r", 43_200) is Ruling.BEYOND_CAP
    assert rules.judge_visibility("r", 43_199) is Ruling.FORWARD


def test_a_receipt_ends_with_its_visibility() -> None:
    clock = Clock()
    rules = ReceiptRules(clock=clock)
    rules.received("m", "r", 10)
    clock.now = 9
    assert rules.judge_visibility("r", 10) is Ruling.FORWARD
    clock.now = 19
    assert rules.judge_visibility("r", 10) is Ruling.NOT_IN_FLIGHT
    assert rules.judge_delete("r") is Ruling.FORWARD


def test_only_the_newest_receipt_deletes_and_extends() -> None:
    rules = ReceiptRules(clock=Clock())
    rules.received("m", "first", 10)
    rules.received("m", "second", 10)
    assert rules.judge_visibility("first", 10) is Ruling.STALE
    assert rules.judge_delete("first") is Ruling.PRETEND
    assert rules.judge_delete("second") is Ruling.FORWARD


def test_unknown_receipts_are_the_servers_to_judge() -> None:
    rules = ReceiptRules(clock=Clock())
    assert rules.judge_visibility("r", 10) is Ruling.FORWARD
    assert rules.judge_delete("r") is Ruling.FORWARD
