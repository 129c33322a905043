"""Listings: resumed where they were, each file counted once, and no job ended while its listing runs."""

import pytest

from runtime.shared.ledger import AlreadyFinished, LeaseLost, Ledger, ListingState
from tests.unit.conftest import Clock
from tests.unit.shared.ledger.steps import UNIT, complete, end_of, listing


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
