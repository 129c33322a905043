"""What the ledger remembers of messages: runs of failures, waits, and parkings that name nothing."""

from datetime import UTC, datetime

from runtime.shared.ledger import (
    Ledger,
    ListingState,
    MessageLedger,
    Place,
    WorkUnit,
    place_of_body,
    place_of_job,
)
from runtime.shared.ledger.types import FAILING, WAITING
from tests.unit.conftest import Clock

UNIT = WorkUnit(export_job_id="job", task_id="t", file_id="f")
TASK = Place("job", UNIT.key)


def memory(ledger: Ledger) -> MessageLedger:
    return MessageLedger(ledger._table)


def fields(ledger: Ledger, place: Place) -> set[str]:
    return set(ledger._table.get(place.job, place.key) or {})


def test_a_run_keeps_its_beginning_until_there_is_progress(ledger: Ledger, clock: Clock) -> None:
    messages = memory(ledger)
    first = messages.failed(TASK, "download-failed", "503", anew=False)
    clock.advance(60)
    second = messages.failed(TASK, "aws-error", "500", anew=False)
    assert first is not None
    assert second is not None
    assert (second.since, second.count, second.reason) == (first.since, 2, "download-failed")
    clock.advance(60)
    anew = messages.failed(TASK, "aws-error", "500", anew=True)
    assert anew is not None
    assert (anew.count, anew.reason) == (1, "aws-error")
    assert (anew.since - first.since).total_seconds() == 120


def test_a_run_knows_since_when_its_failures_are_alike(ledger: Ledger, clock: Clock) -> None:
    messages = memory(ledger)
    moments = {}
    for reason in (
        "download-failed",
        "not-the-archive",
        "not-the-archive",
        "circuit-open",
        "not-the-archive",
    ):
        run = messages.failed(TASK, reason, "x", anew=False)
        assert run is not None
        assert run.alike_since is not None
        moments[clock()] = (run.alike_since - run.since).total_seconds()
        clock.advance(60)
    # An outage before or between them is not theirs.
    assert list(moments.values()) == [0, 60, 60, 180, 240]
    anew = messages.failed(TASK, "not-the-archive", "x", anew=True)
    assert anew is not None
    assert anew.alike_since == anew.since


def test_what_moves_the_work_on_ends_the_run(ledger: Ledger) -> None:
    messages = memory(ledger)

    def fail(place: Place) -> None:
        assert messages.failed(place, "aws-error", "500", anew=False)
        assert fields(ledger, place) >= set(FAILING)

    fail(TASK)
    claim = ledger.claim(UNIT, owner="o", lease_s=60)
    assert fields(ledger, TASK) >= set(FAILING), "a claim is no progress yet"
    ledger.release(claim)
    ledger.complete(ledger.claim(UNIT, owner="o", lease_s=60), {})
    assert not fields(ledger, TASK) & set(FAILING)

    job = place_of_job("job")
    fail(job)
    listing = ledger.claim_job("job", owner="o", lease_s=60, correlation_id="c")
    ledger.advance(listing, ListingState(cursor="2", pages=1))
    assert not fields(ledger, job) & set(FAILING)
    ledger.release_job(listing)
    fail(job)
    ledger.park_job("job", "retries-exhausted", "x", correlation_id="c")
    assert not fields(ledger, job) & set(FAILING)


def test_nobody_elses_work_is_written_about(ledger: Ledger) -> None:
    claim = ledger.claim(UNIT, owner="other", lease_s=60)
    assert memory(ledger).failed(TASK, "aws-error", "500", anew=False) is None
    ledger.complete(claim, {})
    assert memory(ledger).failed(TASK, "aws-error", "500", anew=False) is None
    assert not fields(ledger, TASK) & set(FAILING)


def test_a_wait_is_no_failure_and_ends_with_the_listing(ledger: Ledger, clock: Clock) -> None:
    messages, job = memory(ledger), place_of_job("job")
    messages.failed(job, "unavailable", "503", anew=False)
    first = messages.waited(job, "pending")
    clock.advance(60)
    second = messages.waited(job, "running")
    assert (second.since, second.count) == (first.since, 2)
    assert not fields(ledger, job) & set(FAILING)
    listing = ledger.claim_job("job", owner="o", lease_s=60, correlation_id="c")
    ledger.finish_listing(listing, listing.listing)
    assert not fields(ledger, job) & set(WAITING)


def test_a_failure_before_the_listing_leaves_the_count_exact(ledger: Ledger) -> None:
    memory(ledger).failed(TASK, "aws-error", "500", anew=False)
    listing = ledger.claim_job("job", owner="o", lease_s=60, correlation_id="c")
    ledger.record_tasks(listing, {"t": "f", "u": "g"}, 0)
    assert ledger.finish_listing(listing, listing.listing).tasks_total == 2


def test_why_a_message_was_parked_that_names_nothing(ledger: Ledger) -> None:
    body = "no JSON \ud800"
    place = place_of_body(body)
    seen = datetime(2026, 1, 1, tzinfo=UTC)
    memory(ledger).failed(place, "aws-error", "500", anew=False)
    memory(ledger).parked(place, "malformed-message", "it is not JSON", first_seen=seen)
    item = ledger._table.get(place.job, place.key)
    assert item is not None
    assert (item["reason"], item["error"], item["status"]) == (
        "malformed-message",
        "it is not JSON",
        "parked",
    )
    assert not set(item) & set(FAILING)
