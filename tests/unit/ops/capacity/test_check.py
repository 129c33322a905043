"""The gate on capacity: exit codes, sentences, and before and after."""

from dataclasses import replace

import pytest

from ops.capacity import __main__ as command
from ops.capacity.check import as_markdown, judge
from ops.capacity.knobs import KNOBS, diff
from ops.capacity.page import as_page
from ops.capacity.prices import load_prices
from ops.capacity.question import Question
from ops.capacity.search import search
from ops.capacity.watch import watch
from tests.unit.ops.capacity.small import CALIBRATION, LOAD, environment, service


def asked(**changes):
    return Question(deployed=environment(**changes), prices=load_prices("eu-west-1"), calibration=CALIBRATION)


BUSY = replace(LOAD, export_jobs_per_day=4_000, peak_factor=5)


def test_an_environment_with_room_holds():
    assert judge(asked(load=BUSY, worker=service(most=60))).missed == ()


@pytest.mark.parametrize(
    ("load", "worker", "sentence"),
    [
        (BUSY, service(most=2), "raise max_tasks"),
        (replace(BUSY, completion_p95_minutes=60), service(most=60), "completion_p95_minutes 60"),
        (replace(BUSY, queue_wait_hours=0.05), service(most=20), "queue_wait_hours is 0.05"),
        (
            replace(BUSY, peak_factor=9),
            service(most=60, policies=(replace(service().policies[0], in_s=43_200),)),
            "15 %",
        ),
    ],
)
def test_what_is_missed_is_said_with_what_to_raise(load, worker, sentence):
    assert any(sentence in missed for missed in judge(asked(load=load, worker=worker)).missed)


@pytest.mark.parametrize(("worker", "code"), [(service(most=60), 0), (service(most=2), 1)])
def test_the_exit_code(monkeypatch, capsys, worker, code):
    monkeypatch.setattr(command, "assembly_of", lambda _directory: {})
    monkeypatch.setattr(command, "question", lambda _assembly, _name: asked(load=BUSY, worker=worker))
    assert command.main(["check", "test"]) == code
    assert ("MISSED" in capsys.readouterr().out) == bool(code)


def test_an_assembly_that_is_not_there_cannot_be_judged(tmp_path, capsys):
    assert command.main(["check", "prod", "--assembly", str(tmp_path)]) == 2
    assert "not a synthesized cloud assembly" in capsys.readouterr().err


def test_before_and_after_shows_what_a_number_did_and_nothing_where_none_did():
    before, after = (
        judge(asked(load=BUSY, worker=service(most=60))),
        judge(asked(load=BUSY, worker=service(most=8))),
    )
    table = as_markdown([after], {"test": before})
    assert "workers at most" in table
    assert f"| {before.figures.most_tasks} | {after.figures.most_tasks} |" in table
    assert as_markdown([before], {"test": before}) == ""


def knobs(*names):
    return [knob for knob in KNOBS if knob.name in names]


def test_the_search_finds_cheaper_settings_that_hold_and_says_which():
    start = asked(load=BUSY, worker=service(least=12, most=60, on_demand_base=12, arm=False))
    found = search(start, knobs("architecture", "worker.min_tasks"))
    assert found is not None
    assert found.figures.usd < start.figures().usd
    lines = diff(start.deployed, found.deployed)
    assert lines[:2] == ["- architecture='x86_64'", "+ architecture='arm64'"]
    assert "- worker.min_tasks=12" in lines
    assert judge(replace(start, deployed=found.deployed)).missed == ()


def test_the_search_plays_nothing_twice_and_keeps_what_is_cheapest():
    played = []

    def spread(held, questions):
        questions = list(questions)
        played.extend((held.__name__, repr(question.deployed)) for question in questions)
        return map(held, questions)

    start = asked(load=BUSY, worker=service(most=60))
    found = search(start, knobs("architecture"), spread)
    assert found is not None
    assert found.deployed == start.deployed
    assert len(played) == len(set(played)) == found.tried


def test_the_search_says_when_nothing_holds():
    assert search(asked(load=BUSY, worker=service(most=2)), knobs("architecture")) is None


def test_the_page_needs_nothing_else_and_has_every_graph():
    question = asked(load=BUSY, worker=service(most=60))
    day = question.day()
    page = as_page(
        "A day & a night",
        day=day,
        figures=question.figures(),
        watch=watch(day),
        needs=[],
        prices=question.prices,
        swings=[],
        sources=question.sources(),
    )
    assert page.count("<svg") == 7
    assert "http" not in page
    assert "A day &amp; a night" in page
