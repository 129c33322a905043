"""The ledger's promises: fences hold, counts are exact, and what is said is said once."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.shared.ledger import (
    AlreadyFinished,
    Busy,
    JobClaim,
    JobCount,
    JobState,
    LeaseLost,
    Ledger,
    ListingState,
    Superseded,
    WorkUnit,
)
from runtime.shared.ledger.expressions import Change
from runtime.shared.ledger.table import ConditionRefused
from tests.unit.conftest import Clock

UNIT = WorkUnit(export_job_id="job", task_id="t0", file_id="f0")
NOTHING = JobCount(0, 0)


def listing(ledger: Ledger, *, tasks: int, finish: bool = True) -> JobClaim:
    claim = ledger.claim_job("job", owner="o", lease_s=60, correlation_id="c")
    ledger.record_tasks(claim, {f"t{n}": f"f{n}" for n in range(tasks)}, 0)
    if finish:
        ledger.finish_listing(claim, claim.listing)
    return claim


def end_of(state: JobState) -> str | None:
    if not state.ended:
        return None
    return "failed" if state.failed else "ended"


def complete(ledger: Ledger, task: str) -> None:
    ledger.complete(
        ledger.claim(WorkUnit(export_job_id="job", task_id=task, file_id=task), owner="w", lease_s=60), {}
    )


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


def test_a_job_is_not_finished_while_its_listing_runs(ledger: Ledger) -> None:
    claim = listing(ledger, tasks=1, finish=False)
    complete(ledger, "t0")
    assert end_of(ledger.job_state("job")) is None
    assert end_of(ledger.finish_listing(claim, claim.listing)) == "ended"


def test_an_empty_job_is_completed(ledger: Ledger) -> None:
    claim = ledger.claim_job("job", owner="o", lease_s=60, correlation_id="c")
    assert end_of(ledger.finish_listing(claim, claim.listing)) == "ended"


def test_repeated_and_reordered_files_are_counted_once(ledger: Ledger) -> None:
    claim = ledger.claim_job("job", owner="o", lease_s=60, correlation_id="c")
    files = {f"t{n}": f"f{n}" for n in range(120)}
    assert len(ledger.record_tasks(claim, files, 0).new) == 120
    backwards = dict(reversed(files.items())) | {"t120": "f120"}
    recorded = ledger.record_tasks(claim, backwards, 1)
    assert recorded.new == ("t120",)
    assert ledger.job_state("job").tasks_total == 121


def test_only_the_interrupted_page_is_sent_again(ledger: Ledger, clock: Clock) -> None:
    claim = ledger.claim_job("job", owner="o", lease_s=60, correlation_id="c")
    ledger.record_tasks(claim, {"t0": "f0"}, 0)
    ledger.advance(claim, ListingState(cursor="second", pages=1))
    ledger.record_tasks(claim, {"t1": "f1"}, 1)
    clock.advance(61)
    resumed = ledger.claim_job("job", owner="p", lease_s=60, correlation_id="other")
    assert (resumed.listing.cursor, resumed.pages, resumed.correlation_id) == ("second", 1, "c")
    recorded = ledger.record_tasks(resumed, {"t0": "f0", "t1": "f1"}, 1)
    assert (recorded.new, recorded.again) == ((), ("t1",))
    with pytest.raises(LeaseLost):
        ledger.record_tasks(claim, {"t2": "f2"}, 1)
    with pytest.raises(LeaseLost):
        ledger.advance(claim, ListingState(cursor="third", pages=2))
    with pytest.raises(LeaseLost):
        ledger.finish_listing(claim, claim.listing)


@pytest.mark.parametrize("end", ["none", "done", "parked"])
def test_a_task_met_before_its_listing_is_counted_exactly(ledger: Ledger, end: str) -> None:
    early = ledger.claim(UNIT, owner="w", lease_s=60)
    if end == "done":
        ledger.complete(early, {})
    if end == "parked":
        ledger.park(early, "not-a-zip", "x")
    listing(ledger, tasks=1)
    if end == "none":
        ledger.complete(early, {})
    state = ledger.job_state("job")
    assert (state.tasks_total, state.tasks_done, state.tasks_parked) == (
        1,
        int(end != "parked"),
        int(end == "parked"),
    )
    assert end_of(state) == ("failed" if end == "parked" else "ended")


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


def test_a_parked_job_can_be_claimed_again_and_a_listed_one_cannot(ledger: Ledger) -> None:
    assert end_of(ledger.park_job("job", "unknown-job", "404", correlation_id="c")) == "failed"
    claim = ledger.claim_job("job", owner="o", lease_s=60, correlation_id="d")
    assert claim.correlation_id == "c"
    with pytest.raises(LeaseLost, match="being listed"):
        ledger.park_job("job", "unknown-job", "404", correlation_id="c")
    ledger.finish_listing(claim, claim.listing)
    with pytest.raises(AlreadyFinished):
        ledger.claim_job("job", owner="o", lease_s=60, correlation_id="c")
    assert ledger.park_job("job", "retries-exhausted", "x", correlation_id="c").reason == ""


def test_one_caller_announces_and_the_next_takes_over_only_after_a_crash(
    ledger: Ledger, clock: Clock
) -> None:
    claim = listing(ledger, tasks=0, finish=False)
    state = ledger.finish_listing(claim, claim.listing)
    assert ledger.begin_announcement(state, "completed", NOTHING, 15)
    with pytest.raises(Busy):
        ledger.begin_announcement(state, "completed", NOTHING, 15)
    clock.advance(16)
    assert ledger.begin_announcement(state, "completed", NOTHING, 15)
    ledger.end_announcement(state, "completed", announced=True)
    assert not ledger.begin_announcement(state, "completed", NOTHING, 15)
    assert ledger.job_state("job").announced == "completed"


def test_nothing_is_announced_on_counts_that_have_moved(ledger: Ledger) -> None:
    listing(ledger, tasks=2)
    complete(ledger, "t1")
    ledger.park(ledger.claim(UNIT, owner="w", lease_s=60), "r", "e")
    stale = ledger.job_state("job")
    complete(ledger, "t0")
    assert not ledger.begin_announcement(stale, "failed", NOTHING, 15)


def test_items_expire_after_the_retention(ledger: Ledger, clock: Clock) -> None:
    ledger.claim(UNIT, owner="w", lease_s=60)
    item = ledger._table.get("job", "TASK#t0")
    assert item is not None
    assert item["expires_at"] == int(clock.now + 30 * 86_400)


def test_a_refusal_shows_what_stood_there(ledger: Ledger) -> None:
    from boto3.dynamodb.conditions import Attr

    table = ledger._table
    table.update(Change(job="job", key="x", set={"a": 1.5, "b": ["y"], "c": None}))
    with pytest.raises(ConditionRefused) as refusal:
        table.transact(
            [Change(job="job", key="y", set={"a": 1}), Change(job="job", key="x", when=Attr("a").eq(2))]
        )
    assert refusal.value.items[1]["a"] == 1.5
    assert table.get("job", "y") is None
