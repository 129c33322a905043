"""An ECS service's tasks as columns: which capacity they are on, when they are ready, what they have in hand.

ECS starts what is wanted by its capacity-provider strategy and stops what is not, but for protected tasks;
those leave by the runtime's own rule (`runtime.shared.leaving`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ops.capacity.read import Service
from ops.capacity.workload import Flags, Ids, Seconds
from runtime.shared.leaving import DRAW_S, ServiceView, draw

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Manners:
    """The conduct of a service's tasks that are being stopped.

    protects: whether ECS may stop a task that has something stuck in hand, anything, or nothing at all.
    leaves: an unwanted task takes nothing new and hands over what another can go on with.
    """

    protects_stuck: bool = True
    protects_busy: bool = False
    leaves: bool = True


class Tasks:
    """Every task of the day in order of its start; what is gone stays as a row that is not `alive`."""

    def __init__(self, service: Service, manners: Manners, *, start_s: float) -> None:
        self._service = service
        self._manners = manners
        self._start_s = start_s
        self.ready_at: Seconds = np.zeros(0)
        self.alive: Flags = np.zeros(0, np.bool_)
        self.spot: Flags = np.zeros(0, np.bool_)
        self.old: Flags = np.zeros(0, np.bool_)
        self.unwanted: Flags = np.zeros(0, np.bool_)
        self.hands: Ids = np.zeros(0, np.int64)
        self.stuck: Ids = np.zeros(0, np.int64)
        self._drawn: Seconds = np.zeros(0)
        self._drawn_for = -1.0

    def __len__(self) -> int:
        return len(self.alive)

    def ready(self, now: float) -> Flags:
        """Tasks that run."""
        return self.alive & (self.ready_at <= now)

    def takers(self, now: float) -> Flags:
        """Tasks that poll."""
        return self.ready(now) & ~self.unwanted

    def start(self, now: float, desired: int, *, shortage: bool, at_once: bool = False) -> None:
        """Start what is missing of the new version, by the strategy; Spot stays missing in a shortage."""
        for spot, want in zip((False, True), self._service.split(desired), strict=True):
            missing = want - int((self.alive & ~self.old & (self.spot == spot)).sum())
            if missing > 0 and not (spot and shortage):
                self._add(missing, now if at_once else now + self._start_s, spot=spot)

    def _add(self, count: int, ready_at: float, *, spot: bool) -> None:
        self.ready_at = np.append(self.ready_at, np.full(count, ready_at))
        self.alive = np.append(self.alive, np.ones(count, np.bool_))
        self.spot = np.append(self.spot, np.full(count, spot))
        for name in ("old", "unwanted"):
            setattr(self, name, np.append(getattr(self, name), np.zeros(count, np.bool_)))
        for name in ("hands", "stuck"):
            setattr(self, name, np.append(getattr(self, name), np.zeros(count, np.int64)))

    def superfluous(self, now: float, desired: int, chance: np.random.Generator) -> Places:
        """Tasks that ECS stops now: those too many of each kind, and old ones that new ones replace."""
        free = self.alive & ~self._protected()
        stopped = []
        for spot, want in zip((False, True), self._service.split(desired), strict=True):
            kind = self.alive & (self.spot == spot) & ~self.old
            stopped.append(self._some(kind & free, int(kind.sum()) - want, chance))
        replaced = int((self.ready(now) & ~self.old).sum())
        too_many = int(self.alive.sum()) - max(desired, int(self.alive.sum()) - replaced)
        stopped.append(self._some(self.old & free, too_many, chance))
        return np.concatenate(stopped)

    def _protected(self) -> Flags:
        if self._manners.protects_busy:
            return self.hands > 0
        if self._manners.protects_stuck:
            return self.stuck > 0
        return np.zeros(len(self), np.bool_)

    @staticmethod
    def _some(among: Flags, count: int, chance: np.random.Generator) -> Places:
        places = np.flatnonzero(among)
        return chance.choice(places, min(count, len(places)), replace=False) if count > 0 else places[:0]

    def look(self, now: float, desired: int) -> Places:
        """Each protected task looks at its service; those that leave from now on."""
        if not self._manners.leaves:
            return np.zeros(0, np.int64)
        ready = self.ready(now)
        version = int((ready & ~self.old).sum())
        before = self.unwanted.copy()
        for old in (False, True):
            group = self.alive & (self.old == old)
            view = ServiceView(
                desired=desired,
                running=int(ready.sum()),
                current=not old,
                version_desired=desired,
                version_running=version,
            )
            share = view.share_to_leave
            if share <= 0:
                self.unwanted[group] = False
            else:
                looks = group & self._protected() & ready & ~self.unwanted
                self.unwanted[looks] = self._draws(now)[looks] < share
        return np.flatnonzero(self.unwanted & ~before)

    def _draws(self, now: float) -> Seconds:
        window = now // DRAW_S
        if window != self._drawn_for or len(self._drawn) != len(self):
            kept = len(self._drawn) if window == self._drawn_for else 0
            fresh = [
                draw(f"task-{task}", now) if self.alive[task] else 1.0 for task in range(kept, len(self))
            ]
            self._drawn = np.concatenate((self._drawn[:kept], fresh))
            self._drawn_for = window
        return self._drawn

    def lose(self, now: float, share: float, *, spot_only: bool, chance: np.random.Generator) -> Places:
        """Running tasks that are taken away, each with this chance."""
        running = self.ready(now) & (self.spot if spot_only else True)
        count = chance.binomial(int(running.sum()), min(1.0, share))
        return self._some(running, int(count), chance)

    def end(self, places: Places) -> None:
        """These are gone."""
        self.alive[places] = False
        self.unwanted[places] = False

    def replace_version(self) -> None:
        """Every task that there is now is of the old version."""
        self.old |= self.alive
