"""Claims on tasks: one at a time, fenced, counted once however often and at once they end."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.shared.ledger import AlreadyFinished, Busy, LeaseLost, Ledger, WorkUnit
from tests.unit.conftest import Clock
from tests.unit.shared.ledger.steps import UNIT, complete, end_of, listing


def test_a_claim_keeps_others_out_until_its_lease_ends(ledger: Ledger, clock: Clock) -> None:
    first = ledger.claim(UNIT, owner="a", lease_s=60)
    with pytest.raises(Busy) as busy:
        ledger.claim(UNIT, owner="b", lease_s=60)
    assert busy.value.retry_after_s == pytest.approx(60, abs=0.01)
    clock.advance(61)
    second = ledger.claim(UNIT, owner="b", lease_s=60)
    assert second.generation == first.generation + 1
    for write in (
        lambda: ledger.renew(first, 60),
        lambda: ledger.complete(first, {}),
        lambda: ledger.park(first, "r", "e"),
        lambda: ledger.split(first, [(0, 1)]),
        lambda: ledger.restart_split(first),
    ):
        with pytest.raises(LeaseLost):
            write()
    ledger.release(first)  # no effect on the second claim
    with pytest.raises(Busy):
        ledger.claim(UNIT, owner="c", lease_s=60)


def test_a_released_claim_does_not_keep_the_next_waiting(ledger: Ledger) -> None:
    claim = ledger.claim(UNIT, owner="a", lease_s=60)
    ledger.release(claim)
    ledger.renew(claim, 60)  # a late heartbeat neither revives the lease nor calls it lost
    assert ledger.claim(UNIT, owner="b", lease_s=60).generation == 2
    with pytest.raises(LeaseLost):
        ledger.renew(claim, 60)


def test_two_workers_at_once_get_one_claim(ledger: Ledger) -> None:
    barrier = threading.Barrier(8)

    def claim(owner: str) -> bool:
        barrier.wait()
        try:
            ledger.claim(UNIT, owner=owner, lease_s=60)
        except Busy:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, map(str, range(8)))) == 1


def test_completion_counts_once_under_repetition_and_concurrency(ledger: Ledger) -> None:
    listing(ledger, tasks=6)
    claims = [
        ledger.claim(WorkUnit(export_job_id="job", task_id=f"t{n}", file_id=f"f{n}"), owner="w", lease_s=60)
        for n in range(6)
    ]
    again = [claim for claim in claims for _ in range(2)]
    random.Random(7).shuffle(again)
    with ThreadPoolExecutor(6) as pool:
        states = list(pool.map(lambda claim: ledger.complete(claim, {"entries": 1}), again))
    assert max(state.tasks_done for state in states) == 6
    assert end_of(ledger.job_state("job")) == "ended"
    with pytest.raises(AlreadyFinished):
        ledger.claim(UNIT, owner="x", lease_s=60)


def test_a_redriven_task_turns_a_failed_job_into_a_completed_one(ledger: Ledger) -> None:
    listing(ledger, tasks=2)
    complete(ledger, "t1")
    for _ in range(2):
        claim = ledger.claim(UNIT, owner="w", lease_s=60)
        assert end_of(ledger.park(claim, "not-a-zip", "no directory")) == "failed"
    assert ledger.job_state("job").tasks_parked == 1
    complete(ledger, "t0")
    state = ledger.job_state("job")
    assert (state.tasks_done, state.tasks_parked, end_of(state)) == (2, 0, "ended")


def test_parking_without_a_claim_respects_whoever_works(ledger: Ledger, clock: Clock) -> None:
    listing(ledger, tasks=1)
    ledger.claim(UNIT, owner="w", lease_s=60)
    with pytest.raises(LeaseLost, match="being worked on"):
        ledger.park(UNIT, "retries-exhausted", "x")
    clock.advance(61)
    assert ledger.park(UNIT, "retries-exhausted", "x").tasks_parked == 1
    complete(ledger, "t0")
    assert ledger.park(UNIT, "retries-exhausted", "late").tasks_parked == 0


def test_items_expire_after_the_retention(ledger: Ledger, clock: Clock) -> None:
    ledger.claim(UNIT, owner="w", lease_s=60)
    item = ledger._table.get("job", "TASK#t0")
    assert item is not None
    assert item["expires_at"] == int(clock.now + 30 * 86_400)
