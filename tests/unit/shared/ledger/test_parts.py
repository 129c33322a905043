"""Split tasks: completed by their last part once, and parts of an earlier split are stale."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.shared.ledger import AlreadyFinished, Ledger, Superseded, WorkUnit
from tests.unit.conftest import Clock
from tests.unit.shared.ledger.steps import UNIT, end_of, listing


def part(index: int, epoch: int = 0) -> WorkUnit:
    return WorkUnit(export_job_id="job", task_id="t0", file_id="f0", part=index, epoch=epoch)


def test_a_split_task_is_completed_by_its_last_part_once(ledger: Ledger) -> None:
    listing(ledger, tasks=1)
    claim = ledger.claim(UNIT, owner="w", lease_s=60)
    split = ledger.split(claim, [(0, 10), (10, 25)])
    assert (split.parts, split.epoch) == (((0, 10), (10, 25)), 0)
    assert ledger.split(claim, [(0, 25)]) == split
    ledger.parts_sent(claim)
    claims = [ledger.claim(part(index), owner="w", lease_s=60) for index in (0, 1)]
    with ThreadPoolExecutor(4) as pool:
        states = list(pool.map(lambda c: ledger.complete_part(c, {"part": c.unit.part or 0}), claims * 2))
    assert max(state.done for state in states) == 2
    with pytest.raises(AlreadyFinished):
        ledger.claim(part(1), owner="w", lease_s=60)
    state = ledger.parts_state(part(1))
    assert state.finished
    assert [summary["part"] for summary in state.summaries] == [0, 1]
    parent = ledger.claim(UNIT.whole(), owner="w", lease_s=60)
    assert parent.split == split
    assert parent.parts_sent
    assert end_of(ledger.complete(parent, {})) == "ended"


def test_a_redelivered_parent_finds_its_split(ledger: Ledger, clock: Clock) -> None:
    split = ledger.split(ledger.claim(UNIT, owner="w", lease_s=60), [(0, 1), (1, 2)])
    clock.advance(61)
    again = ledger.claim(UNIT, owner="x", lease_s=60)
    assert again.split == split
    assert not again.parts_sent


def test_a_restarted_split_makes_earlier_parts_stale(ledger: Ledger, clock: Clock) -> None:
    listing(ledger, tasks=1)
    parent = ledger.claim(UNIT, owner="w", lease_s=60)
    ledger.split(parent, [(0, 1), (1, 2)])
    ledger.parts_sent(parent)
    zero, one = (ledger.claim(part(index), owner="w", lease_s=60) for index in (0, 1))
    ledger.complete_part(zero, {})
    assert ledger.restart_split(one) == 1
    with pytest.raises(Superseded):
        ledger.complete_part(one, {})
    with pytest.raises(Superseded) as stale:
        ledger.claim(part(0), owner="x", lease_s=60)
    assert stale.value.task_open
    fresh = ledger.claim(UNIT, owner="x", lease_s=60)
    assert fresh.split is None
    assert ledger.split(fresh, [(0, 3)]).epoch == 1
    ledger.parts_sent(fresh)
    with pytest.raises(Superseded) as stale:
        ledger.claim(part(1), owner="x", lease_s=60)
    assert not stale.value.task_open
    assert ledger.complete_part(ledger.claim(part(0, 1), owner="x", lease_s=60), {}).finished
    assert ledger.restart_split(ledger.claim(UNIT, owner="x", lease_s=60)) == 2


def test_a_parked_part_parks_its_task_and_can_come_back(ledger: Ledger) -> None:
    listing(ledger, tasks=1)
    parent = ledger.claim(UNIT, owner="w", lease_s=60)
    ledger.split(parent, [(0, 1)])
    ledger.parts_sent(parent)
    claim = ledger.claim(part(0), owner="w", lease_s=60)
    assert end_of(ledger.park(claim, "invalid-archive", "x")) == "failed"
    redriven = ledger.claim(part(0), owner="w", lease_s=60)
    assert ledger.complete_part(redriven, {}).finished
    assert end_of(ledger.complete(ledger.claim(UNIT, owner="w", lease_s=60), {})) == "ended"
