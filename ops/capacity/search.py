"""The cheapest settings that hold the objectives, and hold them when Spot goes away at the peak.

One setting at a time over its candidates, round after round, until none makes the day cheaper: the settings
work on different items of the bill, so that little is gained by trying them in pairs. Candidates are played
side by side on the stated day; only those that hold it and are cheaper meet the day without Spot, the
cheapest first, and the first that holds is taken. What has been played is not played again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ops.capacity.check import compute_usd, missed
from ops.capacity.figures import Figures
from ops.capacity.knobs import KNOBS, Knob, sensible
from ops.capacity.question import Question
from ops.capacity.read import Deployed

_ROUNDS = 3
# A setting is turned for half a percent of what the fleet costs; less may be the draw of the day.
_WORTH = 0.005

Spread = Callable[[Callable[[Question], Figures | None], Iterable[Question]], Iterable[Figures | None]]
"""`map`, or a pool's."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The cheapest that was found. `tried`: days that were played."""

    deployed: Deployed
    figures: Figures
    tried: int


def search(asked: Question, knobs: Sequence[Knob] = KNOBS, spread: Spread = map) -> Found | None:
    """From the environment's own values; None where neither they nor anything tried holds.

    The same seed for all, so that they meet the same day.
    """
    trials = _Trials(asked, spread)
    best, cost = asked.deployed, trials.cheapest([asked.deployed], None)
    for _ in range(_ROUNDS):
        start = best
        for knob in knobs:
            candidates = [knob.set(best, value) for value in knob.candidates(best)]
            better = trials.cheapest(
                [candidate for candidate in candidates if candidate != best and sensible(candidate)], cost
            )
            if better is not None:
                best, cost = better.deployed, better
        if best == start:
            break
    return None if cost is None else Found(deployed=best, figures=cost.figures, tried=trials.played)


@dataclass(frozen=True, kw_only=True)
class _Held:
    deployed: Deployed
    figures: Figures


class _Trials:
    """Plays candidates, each once."""

    def __init__(self, asked: Question, spread: Spread) -> None:
        self._asked = asked
        self._spread = spread
        self._stated: dict[str, Figures | None] = {}
        self._stormy: dict[str, Figures | None] = {}

    @property
    def played(self) -> int:
        return len(self._stated) + len(self._stormy)

    def cheapest(self, candidates: Sequence[Deployed], than: _Held | None) -> _Held | None:
        """The cheapest of these that holds both days and is worth it; None where none is."""
        on_the_day = zip(candidates, self._play(stated, candidates, self._stated), strict=True)
        held = [_Held(deployed=candidate, figures=found) for candidate, found in on_the_day if found]
        for one in sorted(held, key=lambda one: one.figures.usd):
            if than is not None and than.figures.usd - one.figures.usd < _WORTH * compute_usd(than.figures):
                break
            (stormed,) = self._play(stormy, [one.deployed], self._stormy)
            if stormed:
                return one
        return None

    def _play(
        self,
        held: Callable[[Question], Figures | None],
        candidates: Sequence[Deployed],
        known: dict[str, Figures | None],
    ) -> list[Figures | None]:
        keys = [repr(candidate) for candidate in candidates]
        new = {key: one for key, one in zip(keys, candidates, strict=True) if key not in known}
        questions = [replace(self._asked, deployed=candidate) for candidate in new.values()]
        known.update(zip(new, self._spread(held, questions), strict=True))
        return [known[key] for key in keys]


def stated(question: Question) -> Figures | None:
    """The stated day's figures; None where it misses an objective."""
    found = question.figures()
    return None if any(missed(question, found)) else found


def stormy(question: Question) -> Figures | None:
    """The same with Spot gone at the peak, which may leave the fleet late; nothing else may be missed."""
    found = question.figures("spot-storm")
    return None if any(missed(question, replace(found, late_return_minutes=0))) else found
