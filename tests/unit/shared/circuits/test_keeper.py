"""One probe in the fleet, with a deadline, while polling is paused; and everybody hears of the end."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pytest

from runtime.shared.circuits import CircuitOpen
from runtime.shared.circuits.state import CircuitRecord, held
from tests.unit.conftest import Clock, until
from tests.unit.shared.circuits.fleet import Down, Missing, Store, Task

SCHEMA = Path(__file__).parents[4] / "docs" / "events" / "export-circuit-changed.schema.json"


class Dependency:
    """Answers probes; can be down, and can take its time."""

    def __init__(self) -> None:
        self.down = True
        self.probes = 0
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, _dependency: str) -> None:
        self.probes += 1
        down = self.down
        assert self.gate.wait(20)
        if down:
            raise Down("still 503")


def fleet(store: Store, clock: Clock, dependency: Dependency, size: int = 5) -> list[Task]:
    tasks = [Task(store, clock, dependency) for _ in range(size)]
    for task in tasks:
        task.call()
    for _ in range(5):
        tasks[0].call(Down("503"))
    return tasks


def turn_all(tasks: list[Task]) -> None:
    for task in tasks:
        task.keeper.turn()


def settled(tasks: list[Task]) -> bool:
    return not any(task.keeper._probing for task in tasks)


def test_the_whole_fleet_pauses_probes_once_a_round_and_resumes(clock: Clock) -> None:
    store, dependency = Store(), Dependency()
    tasks = fleet(store, clock, dependency)
    assert [task.polling.paused for task in tasks] == [True, False, False, False, False]
    turn_all(tasks)
    assert all(task.polling.paused for task in tasks)
    assert dependency.probes == 0, "not before it is due"
    for round_ in (1, 2, 3):
        clock.advance(31)
        turn_all(tasks)
        until(lambda: settled(tasks))
        turn_all(tasks)
        assert dependency.probes == round_
        assert all(task.polling.paused for task in tasks)
        assert all(task.call() is CircuitOpen for task in tasks)
    dependency.down = False
    clock.advance(31)
    turn_all(tasks)
    until(lambda: settled(tasks))
    turn_all(tasks)
    assert dependency.probes == 4
    assert not any(task.polling.paused for task in tasks)
    assert all(task.call() is None for task in tasks)


def test_what_an_operator_holds_open_is_never_probed_and_ends_by_hand_alone(clock: Clock) -> None:
    store, dependency = Store(), Dependency()
    tasks = fleet(store, clock, dependency)
    turn_all(tasks)
    (tripped,) = store.read().values()
    paused = held(tripped.dependency, "paused by anna", clock())
    assert store.swap(tripped.dependency, tripped, paused)
    dependency.down = False
    for _ in range(3):
        clock.advance(86_400)
        turn_all(tasks)
        assert all(task.polling.paused for task in tasks)
    assert dependency.probes == 0
    assert store.swap(tripped.dependency, paused, None)
    turn_all(tasks)
    assert not any(task.polling.paused for task in tasks)


def test_polling_stays_paused_while_a_probe_is_under_way_and_nobody_begins_a_second(clock: Clock) -> None:
    store, dependency = Store(), Dependency()
    tasks = fleet(store, clock, dependency)
    dependency.gate.clear()
    clock.advance(31)
    turn_all(tasks)
    clock.advance(29)
    turn_all(tasks)
    assert dependency.probes == 1
    assert store.records["api"].state == "half-open"
    assert all(task.polling.paused for task in tasks)
    dependency.gate.set()
    until(lambda: settled(tasks))


def test_a_probe_beyond_its_deadline_is_taken_over_and_its_late_report_changes_nothing(clock: Clock) -> None:
    store, slow = Store(), Dependency()
    tasks = fleet(store, clock, slow)
    slow.gate.clear()
    slow.down = False
    clock.advance(31)
    tasks[0].keeper.turn()
    until(lambda: slow.probes == 1)
    clock.advance(31)
    slow.down = True
    tasks[1].keeper.turn()
    until(lambda: slow.probes == 2)
    record = store.records["api"]
    assert record.failed_probes == 1
    slow.gate.set()
    until(lambda: settled(tasks))
    assert store.records["api"].state == "open", "the late one found it well, the one with the right did not"
    assert store.records["api"].reason == "still 503"


def test_a_probe_that_ends_too_late_counts_as_failed_even_when_nobody_took_over(clock: Clock) -> None:
    store, slow = Store(), Dependency()
    tasks = fleet(store, clock, slow, size=1)
    slow.gate.clear()
    slow.down = False
    clock.advance(31)
    tasks[0].keeper.turn()
    until(lambda: slow.probes == 1)
    clock.advance(31)
    slow.gate.set()
    until(lambda: settled(tasks))
    until(lambda: store.records["api"].state == "open")
    assert store.records["api"].reason == "the probe took longer than 30 s"


def test_who_has_made_such_calls_probes_first_and_others_only_when_nobody_does(clock: Clock) -> None:
    store, dependency = Store(), Dependency()
    tasks = fleet(store, clock, dependency, size=1)
    stranger = Task(store, clock, dependency)
    clock.advance(31)
    stranger.keeper.turn()
    assert dependency.probes == 0
    tasks.clear()
    clock.advance(30)
    stranger.keeper.turn()
    until(lambda: dependency.probes == 1)


def test_an_answer_that_says_no_is_an_answer(clock: Clock) -> None:
    def missing(_dependency: str) -> None:
        raise Missing

    store = Store()
    task = Task(store, clock, missing)
    for _ in range(5):
        task.call(Down())
    clock.advance(31)
    task.keeper.turn()
    until(lambda: not store.records and not task.polling.paused)


def test_a_task_that_starts_into_an_outage_polls_nothing(clock: Clock) -> None:
    store, dependency = Store(), Dependency()
    fleet(store, clock, dependency)
    late = Task(store, clock, dependency)
    late.keeper.start()
    assert late.polling.paused


def test_transitions_are_logged_counted_and_announced_by_whoever_made_them(
    clock: Clock, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    store, dependency = Store(), Dependency()
    tasks = fleet(store, clock, dependency)
    tasks[0].events.away = True
    turn_all(tasks)
    assert not tasks[0].events.sent
    tasks[0].events.away = False
    tasks[0].metrics.flush()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    levels = {line.get("dependency"): line["CircuitState"] for line in lines}
    assert levels == {None: [1.0], "api": [1.0]}
    assert lines[0]["CircuitChanges"] == [1.0]
    dependency.down = False
    clock.advance(31)
    turn_all(tasks)
    until(lambda: settled(tasks))
    turn_all(tasks)
    entries = [entry for task in tasks for entry in task.events.sent]
    details = [json.loads(entry["Detail"]) for entry in entries]
    assert [detail["state"] for detail in details] == ["open", "half-open", "closed"]
    assert [detail["previous"] for detail in details] == ["closed", "open", "half-open"]
    assert len({detail["event_id"] for detail in details}) == 3
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for entry, detail in zip(entries, details, strict=True):
        document = {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": detail}
        jsonschema.validate(document, schema)
    for example in schema["examples"]:
        jsonschema.validate(example, schema)
    assert caplog.text.count("The circuit of api is open") == 1
    assert caplog.text.count("The circuit of api is closed") == 1


def test_a_look_that_finds_nothing_new_is_not_followed_by_another_at_once(clock: Clock) -> None:
    fourth = threading.Event()

    class Counted(Store):
        reads = 0

        def read(self) -> Mapping[str, CircuitRecord]:
            self.reads += 1
            if self.reads == 4:
                fourth.set()
            return super().read()

    store = Counted()
    Task(store, clock, Dependency()).keeper.start()
    until(lambda: store.reads >= 2)
    assert not fourth.wait(0.3)
