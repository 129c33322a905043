"""The model against the committed run of the real services, and the comparison itself."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from ops.capacity.compare import (
    ALLOWED,
    FILE,
    Recorded,
    load_recorded,
    measured,
    modelled,
    play_recorded,
    report,
)

CHANCE = np.random.default_rng(3)
COUNT = 150
SIZES = [int(size) for size in CHANCE.uniform(100_000, 500_000, COUNT)]
ASKED = Recorded(
    date="2026-11-25",
    machine="none",
    seed=1,
    workers=6,
    settings={"worker": {"SLOTS": "1"}, "orchestrator": {"SLOTS": "8"}},
    bytes_per_s=25_000,
    look_s=0.5,
    peak_rss_mb=0,
    bytes_sent=0,
    cpu_full_share=0,
    sizes=SIZES,
    archive_sizes=[size + 250 for size in SIZES],
    sent_at=sorted(float(at) for at in CHANCE.uniform(0, 240, COUNT)),
    finished_at=[],
    visible=[],
    in_flight=[],
)


def as_the_model_has_it() -> Recorded:
    """A run in which all went as the model says."""
    day = play_recorded(ASKED)
    return replace(
        ASKED,
        finished_at=day.done_at.tolist(),
        visible=day.track.visible.tolist(),
        in_flight=day.track.in_flight.tolist(),
    )


@pytest.mark.skipif(not FILE.exists(), reason="no run is recorded: make capacity-compare, on a quiet machine")
def test_each_figure_of_the_model_is_within_fifteen_percent_of_the_run():
    recorded = load_recorded()
    real, model = asdict(measured(recorded)), asdict(modelled(recorded))
    assert len(recorded.finished_at) == len(recorded.sent_at) >= 150
    assert real["worst_backlog"] > 2 * recorded.workers
    assert model == {name: pytest.approx(value, rel=ALLOWED) for name, value in real.items()}


def test_a_run_that_went_as_the_model_says_is_not_apart():
    recorded = as_the_model_has_it()
    text, apart = report(recorded)
    assert not apart, text
    assert measured(recorded).worst_backlog > 0


@pytest.mark.parametrize(
    "changes", [{"workers": 5}, {"bytes_per_s": 32_000}, {"sizes": [size * 2 for size in SIZES]}]
)
def test_other_settings_are_noticed(changes):
    text, apart = report(replace(as_the_model_has_it(), **changes))
    assert apart, text


def test_a_full_machine_is_said():
    assert "CPU was full for 20%" in report(replace(as_the_model_has_it(), cpu_full_share=0.2))[0]
