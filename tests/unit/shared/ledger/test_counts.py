"""A job's end: announced by one caller, on counts that have not moved."""

import pytest

from runtime.shared.ledger import Busy, JobCount, Ledger
from tests.unit.conftest import Clock
from tests.unit.shared.ledger.steps import UNIT, complete, listing

NOTHING = JobCount(0, 0)


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
