"""Leases: who may wait for a live one, and which copy is dropped because the holder's line needs it not."""

import random

import pytest

from runtime.shared.consumer.lineage import Lineage
from runtime.shared.ledger import AlreadyFinished, Busy, Claim, Duplicate, Ledger, WorkUnit
from tests.unit.conftest import Clock

TASK = WorkUnit(export_job_id="job", task_id="t0", file_id="f0")
PART = WorkUnit(export_job_id="job", task_id="t0", file_id="f0", part=0)
HOLDER = Lineage("holder", "before")


@pytest.mark.parametrize("unit", [TASK, PART])
@pytest.mark.parametrize(
    ("message", "refusal"),
    [
        (HOLDER, Busy),  # the same message, received again
        (Lineage("next", "holder"), Busy),  # sent in its place; the lease was not given back
        (Lineage("original"), Busy),  # may know of something newer: a job that was sent again
        (None, Busy),  # from before messages had a lineage
        (Lineage("other", "before"), Duplicate),  # of the same message: its delete failed
        (Lineage("other", "stranger"), Duplicate),
        (Lineage("before", "first"), Duplicate),  # the one in whose place the holder came
    ],
)
def test_who_waits_for_a_live_lease(
    ledger: Ledger, unit: WorkUnit, message: Lineage | None, refusal: type[Exception]
) -> None:
    if unit is PART:
        parent = ledger.claim(TASK, owner="a", lease_s=60)
        ledger.split(parent, [(0, 1), (1, 2)])
        ledger.parts_sent(parent)
    ledger.claim(unit, owner="a", lease_s=60, message=HOLDER)
    with pytest.raises(refusal):
        ledger.claim(unit, owner="b", lease_s=60, message=message)


def test_a_lease_whose_message_is_unknown_makes_everybody_wait(ledger: Ledger) -> None:
    first = ledger.claim(TASK, owner="a", lease_s=60, message=HOLDER)
    ledger.release(first)
    ledger.claim(TASK, owner="joins", lease_s=60)
    with pytest.raises(Busy):
        ledger.claim(TASK, owner="b", lease_s=60, message=Lineage("other", "stranger"))


def test_whoever_comes_after_the_lease_has_ended_takes_it(ledger: Ledger, clock: Clock) -> None:
    ledger.claim(TASK, owner="a", lease_s=60, message=HOLDER)
    clock.now += 61
    other = Lineage("other", "stranger")
    assert ledger.claim(TASK, owner="b", lease_s=60, message=other).generation == 2
    with pytest.raises(Duplicate):
        ledger.claim(TASK, owner="a", lease_s=60, message=HOLDER)


@pytest.mark.parametrize("seed", range(2))
def test_copies_do_not_multiply_while_deletes_fail_and_the_last_line_never_ends(
    ledger: Ledger, clock: Clock, seed: int
) -> None:
    """Every try fails and is sent anew. Every tenth delete fails, some sends arrive twice, some holders die
    or cannot give their lease back; still there is always a message that leads on, and never many.
    """
    fate = random.Random(seed)
    queue: list[Lineage] = [Lineage("first"), Lineage("second")]
    holding: list[tuple[float, Lineage, Claim]] = []
    most = 0

    def send_in_place_of(message: Lineage, copy: Lineage) -> None:
        queue.extend([copy] * (2 if fate.random() < 0.05 else 1))
        if fate.random() < 0.1:
            queue.append(message)

    for _ in range(250):
        clock.now += fate.uniform(0.1, 1.0)
        for until, message, claim in [held for held in holding if held[0] <= clock.now]:
            holding.remove((until, message, claim))
            if fate.random() < 0.05:
                queue.append(message)  # the process died: its lease ends by itself, its message comes back
                continue
            if fate.random() < 0.9:  # else the ledger could not be told
                ledger.release(claim)
            send_in_place_of(message, message.next())
        if queue:
            message = queue.pop(fate.randrange(len(queue)))
            try:
                claim = ledger.claim(TASK, owner="w", lease_s=3, message=message)
                holding.append((clock.now + fate.uniform(0.2, 2.0), message, claim))
            except Busy:
                send_in_place_of(message, message)
            except Duplicate:
                pass
        assert queue or holding, "the last message of the task is gone"
        most = max(most, len(queue) + len(holding))
    assert most < 15
    clock.now += 10
    ledger.complete(ledger.claim(TASK, owner="w", lease_s=60, message=queue[0] if queue else None), {})
    for message in queue:
        with pytest.raises(AlreadyFinished):
            ledger.claim(TASK, owner="w", lease_s=60, message=message)
