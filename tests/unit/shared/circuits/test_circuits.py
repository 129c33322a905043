"""The guard: what opens a circuit, what does not, and what callers see."""

import threading
from contextlib import suppress

import pytest

from runtime.shared.circuits import CircuitConfig, CircuitOpen
from tests.unit.conftest import Clock
from tests.unit.shared.circuits.fleet import Down, Missing, Store, Task


def nothing(_dependency: str) -> None:
    """A probe that finds everything well."""


def test_a_run_of_failures_opens_it_and_only_failures_of_the_dependency_count(clock: Clock) -> None:
    task = Task(Store(), clock, nothing)
    for _ in range(3):
        for _ in range(4):
            assert task.call(Down()) is Down
        assert task.call(Missing()) is Missing  # ends the run
        for _ in range(12):
            assert task.call() is None
    for _ in range(5):
        assert task.call(Down("503")) is Down
    with pytest.raises(CircuitOpen) as refused, task.circuits.call("api"):
        pass
    assert refused.value.retry_after_s == 30
    record = task.circuits.view["api"]
    assert record.reason == "5 failures in a row, the last: 503"
    assert task.polling.paused


def test_opening_writes_once_however_many_calls_are_under_way(clock: Clock) -> None:
    store = Store()
    task = Task(store, clock, nothing, CircuitConfig(failures=2))
    barrier = threading.Barrier(16)

    def call() -> None:
        try:
            with task.circuits.call("api"):
                barrier.wait(10)
                raise Down
        except (Down, CircuitOpen):
            pass

    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.swaps == 1


def test_closed_circuits_cost_no_store(clock: Clock) -> None:
    store = Store()
    store.away = True
    task = Task(store, clock, nothing)
    for _ in range(100):
        assert task.call() is None
        assert task.call(Missing()) is Missing
    assert store.swaps == 0


def test_what_is_said_to_have_succeeded_early_counts_and_so_does_its_later_failure(clock: Clock) -> None:
    task = Task(Store(), clock, nothing)
    for _ in range(4):
        task.call(Down())
    with suppress(Down), task.circuits.call("api") as succeeded:
        succeeded()
        raise Down
    assert task.call() is None, "the success in between ended the run"


def test_an_open_circuit_met_on_the_way_is_not_held_against_this_one(clock: Clock) -> None:
    task = Task(Store(), clock, nothing, CircuitConfig(failures=1, minimum_calls=1))
    task.circuits.add("other", counts=lambda _error: True, probe=nothing)
    task.call(Down())
    with pytest.raises(CircuitOpen), task.circuits.call("other"), task.circuits.call("api"):
        pass
    assert set(task.circuits.view) == {"api"}


def test_without_its_store_a_task_opens_for_itself_and_closes_again(clock: Clock) -> None:
    store = Store()
    task = Task(store, clock, nothing)
    store.away = True
    for _ in range(5):
        task.call(Down())
    assert task.call() is CircuitOpen
    clock.advance(31)
    task.keeper.turn()
    from tests.unit.conftest import until

    until(lambda: task.call() is None)


def test_old_failures_do_not_open_it_again_after_it_has_closed(clock: Clock) -> None:
    store = Store()
    opener, other = Task(store, clock, nothing), Task(store, clock, nothing)
    for _ in range(4):
        other.call(Down())
    for _ in range(5):
        opener.call(Down())
    other.keeper.turn()
    assert other.call() is CircuitOpen
    store.records.clear()
    other.keeper.turn()
    assert other.call(Down()) is Down
    assert other.call() is None


def test_a_step_taken_while_the_store_is_read_is_not_undone_by_what_it_said(clock: Clock) -> None:
    store = Store()
    task = Task(store, clock, nothing)
    read = store.read

    def slow_read():
        found = read()
        for _ in range(5):
            task.call(Down())
        return found

    store.read = slow_read  # type: ignore[method-assign]
    task.circuits.refresh()
    assert task.call() is CircuitOpen
