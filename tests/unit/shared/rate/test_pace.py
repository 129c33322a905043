"""Several processes make no more calls a second than one may, and all of them heed one's 429."""

import random
from collections.abc import Callable

import httpx
import pytest

from runtime.shared.export_api import ExportApi, RateLimited
from runtime.shared.ledger.table import LedgerTable
from runtime.shared.rate import Pace, TooFast
from tests.unit.conftest import Aws, Clock
from tests.unit.orchestrator.vendor import NoAuth, Wire, settings
from tests.unit.shared.circuits.fleet import unshared


@pytest.fixture
def table(aws: Aws, clock: Clock) -> LedgerTable:
    return LedgerTable(aws.dynamodb, aws.table(), retention_days=30, clock=clock)


def waiting(clock: Clock) -> Callable[[float], None]:
    return clock.advance


@pytest.mark.parametrize("per_s", [0.5, 3, 40])
def test_a_fleet_keeps_the_vendors_rate(table: LedgerTable, clock: Clock, per_s: float) -> None:
    fleet = [Pace(table, "vendor", per_s=per_s, clock=clock) for _ in range(3)]
    rng, calls, began = random.Random(1), 0, clock()
    while clock() - began < 20:
        try:
            rng.choice(fleet).take(waiting(clock))
            calls += 1
        except TooFast as fast:
            clock.advance(fast.retry_after_s)
    assert 0 < calls <= per_s * (clock() - began) + per_s / 4 + 1


def test_one_process_alone_has_the_whole_rate(table: LedgerTable, clock: Clock) -> None:
    pace, calls, began = Pace(table, "vendor", per_s=40, clock=clock), 0, clock()
    while clock() - began < 5:
        pace.take(waiting(clock))
        calls += 1
    assert calls == pytest.approx(200, abs=11)


def test_leases_are_few(table: LedgerTable, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[object] = []
    update = table.update
    monkeypatch.setattr(table, "update", lambda change: writes.append(change) or update(change))
    pace = Pace(table, "vendor", per_s=100, clock=clock)
    for _ in range(100):
        pace.take(waiting(clock))
    assert len(writes) <= 4


def test_one_429_slows_everybody(table: LedgerTable, clock: Clock) -> None:
    told, other, unlimited = (Pace(table, "vendor", per_s=per_s, clock=clock) for per_s in (10, 10, 0))
    told.slow_down(60)
    for pace in (told, other, unlimited):
        with pytest.raises(TooFast) as fast:
            pace.take(waiting(clock))
        assert fast.value.retry_after_s == pytest.approx(60, abs=0.1)
    clock.advance(60)
    for pace in (told, other, unlimited):
        pace.take(waiting(clock))


def test_a_vendors_429_to_one_process_holds_the_calls_of_the_next(table: LedgerTable, clock: Clock) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(429, headers={"Retry-After": "90"})

    def process() -> ExportApi:
        http = httpx.Client(transport=Wire(answer))
        pace = Pace(table, "export-api", per_s=0, clock=clock)
        return ExportApi(settings(), http, NoAuth(), unshared(), pace=pace)

    for _ in range(3):
        with pytest.raises(RateLimited) as limited:
            process().job_status("job", wait=waiting(clock))
        assert limited.value.retry_after_s == pytest.approx(90, abs=1)
    assert len(asked) == 1
    clock.advance(91)
    with pytest.raises(RateLimited):
        process().job_status("job", wait=waiting(clock))
    assert len(asked) == 2


def test_a_short_pause_is_waited_for(table: LedgerTable, clock: Clock) -> None:
    pace = Pace(table, "vendor", per_s=0, clock=clock)
    pace.slow_down(2)
    began = clock()
    pace.take(waiting(clock))
    assert clock() - began == pytest.approx(2)


def test_a_shorter_pause_does_not_undo_a_longer_one(table: LedgerTable, clock: Clock) -> None:
    long, short, third = (Pace(table, "vendor", per_s=0, clock=clock) for _ in range(3))
    long.slow_down(60)
    short.slow_down(5)
    with pytest.raises(TooFast) as fast:
        third.take(waiting(clock))
    assert fast.value.retry_after_s == pytest.approx(60, abs=0.1)


def test_a_cancelled_wait_leaves_its_turn_to_another(table: LedgerTable, clock: Clock) -> None:
    pace = Pace(table, "vendor", per_s=1, clock=clock)
    pace.take(waiting(clock))
    with pytest.raises(TooFast):
        pace.take(lambda _seconds: True)
    began = clock()
    pace.take(waiting(clock))
    assert clock() - began <= 1
