"""A day played through what would be deployed.

Archives are columns (numpy) and time goes in steps of a minute or less; within a step slots are handed on at
the second they become free. All downloads share a scarce vendor or scarce CPU alike, so one clock (`virtual`)
tells how far a second of now gets any of them: an archive ends when that clock has gone on by what it needs.
An event-by-event library would take minutes and gigabytes for ten million archives, columns take seconds
(docs/capacity.md has the figures). The tests hold this model against one such library, against closed forms
and against a run of the real services.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ops.capacity.admission import cpu_s_per_second, limits
from ops.capacity.calibration import Calibration
from ops.capacity.dispatch import Dispatched, dispatch
from ops.capacity.fleet import Manners, Places, Tasks
from ops.capacity.read import Deployed
from ops.capacity.scaling import Scaling
from ops.capacity.scenarios import Scenario, Window
from ops.capacity.workload import DAY_S, Assumptions, Flags, Ids, Seconds, Seconds32, Workload, draw

_RETRY_S = 900.0
_LONGEST_DAYS = 2.0
_LEAST_VISIBLE_S = 300


@dataclass(frozen=True, kw_only=True)
class Play:
    """How a day is played: at least for so many hours, then until all is done.

    queues: download queues side by side, each with its own limit in flight.
    """

    seed: int = 1
    step_s: float = 60.0
    hours: float = 24.0
    manners: Manners = field(default_factory=Manners)
    queues: int = 1
    hop: bool = True
    """Whether an archive is a message of its own behind the orchestrator; without it jobs go straight in."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """By step, at its end: what a graph of the day shows. `ideal` as in `ops.scaling`."""

    visible: Ids
    delayed: Ids
    in_flight: Ids
    desired: Ids
    running: Ids
    on_demand: Ids
    spot: Ids
    ideal: Ids
    cpu: Seconds
    oldest_s: Seconds
    finished: Ids


@dataclass(frozen=True, kw_only=True)
class Day:
    """The result of a day. Waits and completions in seconds, by job or archive in order of arrival."""

    deployed: Deployed
    assumed: Assumptions
    calibration: Calibration
    scenario: Scenario
    play: Play
    workload: Workload
    dispatched: Dispatched
    done_at: Seconds32
    """When each archive was done; NaN: not within two days."""
    waits_s: Seconds32
    track: Track
    handed_over: int
    begun_anew: int
    repeated_s: float
    interrupted: int
    receives: int
    heartbeats: float
    """Archive-seconds in hand, by which heartbeats are counted."""
    longest_receipt_s: float
    """The longest that one receipt was held."""

    @property
    def sent_at(self) -> Seconds:
        """When each job's archives came to the download queue."""
        return self.dispatched.at if self.play.hop else self.workload.job_at

    @property
    def completion_s(self) -> Seconds32:
        """From each job's event to the end of its last archive."""
        if not len(self.workload.job_at):
            return np.zeros(0, np.float32)
        ends = np.maximum.reduceat(self.done_at, self.workload.first[:-1])
        return (ends - self.workload.job_at).astype(np.float32)

    @property
    def unfinished(self) -> int:
        return int(np.isnan(self.done_at).sum())


def play(
    deployed: Deployed,
    scenario: Scenario,
    assumed: Assumptions,
    calibration: Calibration,
    how: Play = Play(),
) -> Day:
    """Play the scenario's day. The same seed gives the same day."""
    assumed = assumed.but(scenario.assumed)
    chance = np.random.default_rng(how.seed)
    split = float(deployed.worker.settings.get("SPLIT_BYTES", 8 << 30))
    workload = draw(deployed.load, assumed, chance, bursts=scenario.bursts, split_bytes=split)
    dispatched = dispatch(
        workload,
        deployed.orchestrator,
        assumed,
        calibration,
        scenario,
        minutes=round(_LONGEST_DAYS * DAY_S / 60),
    )
    return run(
        deployed=deployed,
        scenario=scenario,
        assumed=assumed,
        calibration=calibration,
        how=how,
        workload=workload,
        dispatched=dispatched,
        chance=chance,
    )


def run(
    *,
    deployed: Deployed,
    scenario: Scenario,
    assumed: Assumptions,
    calibration: Calibration,
    how: Play,
    workload: Workload,
    dispatched: Dispatched,
    chance: np.random.Generator,
) -> Day:
    """Play a given workload, dispatched at given times."""
    at = np.repeat(dispatched.at if how.hop else workload.job_at, np.diff(workload.first))
    run = _Run(
        deployed=deployed,
        scenario=scenario,
        assumed=assumed,
        calibration=calibration,
        how=how,
        workload=workload,
        at=at.astype(np.float32),
        chance=chance,
    )
    steps = run.to_the_end()
    return Day(
        deployed=deployed,
        assumed=assumed,
        calibration=calibration,
        scenario=scenario,
        play=how,
        workload=workload,
        dispatched=dispatched,
        done_at=run.done_at,
        waits_s=run.waits,
        track=Track(**steps, ideal=_ideal(run, at, len(steps["visible"]))),
        handed_over=run.handed_over,
        begun_anew=run.begun_anew,
        repeated_s=run.repeated_s,
        interrupted=run.interrupted,
        receives=run.receives,
        heartbeats=run.in_hand_s,
        longest_receipt_s=run.longest_receipt_s,
    )


@dataclass
class _Returned:
    """Archives that wait for another try, by when they may be taken."""

    at: Seconds = field(default_factory=lambda: np.zeros(0))
    ids: Ids = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(self, ids: Ids, at: Seconds) -> None:
        self.ids, at = np.concatenate((self.ids, ids)), np.concatenate((self.at, at))
        order = np.argsort(at, kind="stable")
        self.ids, self.at = self.ids[order], at[order]

    def due(self, by: float) -> int:
        return int(np.searchsorted(self.at, by, "right"))

    def take(self, count: int) -> tuple[Ids, Seconds]:
        ids, at = self.ids[:count], self.at[:count]
        self.ids, self.at = self.ids[count:], self.at[count:]
        return ids, at


class _Run:
    """The state of a day under way."""

    def __init__(
        self,
        *,
        deployed: Deployed,
        scenario: Scenario,
        assumed: Assumptions,
        calibration: Calibration,
        how: Play,
        workload: Workload,
        at: Seconds32,
        chance: np.random.Generator,
    ) -> None:
        self.service = deployed.worker
        self.assumed, self.scenario, self.how, self.chance = assumed, scenario, how, chance
        self.step = how.step_s
        self.need, self.stuck, self.at = workload.need, workload.stuck, at
        self.left = workload.need.copy()
        self.ends = np.full(len(at), np.inf, np.float32)
        self.done_at = np.full(len(at), np.nan, np.float32)
        self.waits = np.full(len(at), np.nan, np.float32)
        self.task = np.full(len(at), -1, np.int32)
        self.begun = np.zeros(len(at), np.float32)
        self.virtual, self.head = 0.0, 0
        self.active: Ids = np.zeros(0, np.int64)
        self.returned = _Returned()
        self.tasks = Tasks(self.service, how.manners, start_s=assumed.start_s)
        self.scaling = Scaling(self.service)
        self.cpu_each = cpu_s_per_second(assumed, calibration)
        self.limits = limits(self.service, assumed, calibration, how.step_s)
        self.most_in_flight = deployed.in_flight_limit * how.queues
        self.vendor_mb_s = assumed.vendor_mb_s * deployed.load.export_jobs_per_day / 100_000
        self.handover_s = float(self.service.settings.get("HANDOVER_AFTER_S", 39_600))
        self.visibility_s = float(self.service.settings.get("VISIBILITY_TIMEOUT_S", _LEAST_VISIBLE_S))
        self.handed_over = self.begun_anew = self.interrupted = self.receives = 0
        self.repeated_s = self.in_hand_s = self.longest_receipt_s = 0.0
        self.seen: set[tuple[str, float]] = set()

    def to_the_end(self) -> dict[str, Any]:
        """Step until the day is over and all is done, or two days are over; the track's columns."""
        rows = []
        now = 0.0
        self.tasks.start(now, self.scaling.desired, shortage=False, at_once=True)
        while now < self.how.hours * 3600 or (now < _LONGEST_DAYS * DAY_S and not self._idle):
            rows.append(self._step(now))
            now += self.step
        columns = [np.array(column) for column in zip(*rows, strict=True)]
        names = [
            "visible",
            "delayed",
            "in_flight",
            "desired",
            "running",
            "on_demand",
            "spot",
            "cpu",
            "oldest_s",
            "finished",
        ]
        return dict(zip(names, columns, strict=True))

    @property
    def _idle(self) -> bool:
        return self.head == len(self.at) and not len(self.active) and not len(self.returned.ids)

    def _step(self, now: float) -> tuple[float, ...]:
        away = _within(self.scenario.outages, now)
        if away and len(self.active):
            self._give_back(self.active, now + self.chance.uniform(0, _RETRY_S, len(self.active)))
        self._take_away(now)
        self._follow(now)
        pace = self._pace(now)
        finished, freed = self._finish(now, pace)
        if not away:
            self._take(now, pace, freed)
        self._hand_over_old(now)
        self.virtual += pace * self.step
        self.in_hand_s += len(self.active) * self.step
        return self._measure(now + self.step, finished)

    def _pace(self, now: float) -> float:
        """How far a second gets each download: 1, or less where vendor or CPU is short."""
        slow = [share for begin, hours, share in self.scenario.slow if _within(((begin, hours),), now)]
        wanted = len(self.active) or 1
        cores = int(self.tasks.ready(now).sum()) * self.service.cores
        vendor = self.vendor_mb_s / (wanted * self.assumed.archive_mb_s)
        return min(1.0, *slow, vendor, cores / (wanted * self.cpu_each)) or 1.0

    def _finish(self, now: float, pace: float) -> tuple[int, Seconds32]:
        """The work that ends in this step; when the slots of it become free that may be filled again."""
        ends = self.ends[self.active]
        over = ends <= self.virtual + pace * self.step
        ids, at = self.active[over], now + (ends[over] - self.virtual) / pace
        self.done_at[ids] = np.maximum(at, self.begun[ids])
        self.longest_receipt_s = max(
            self.longest_receipt_s, float((self.done_at[ids] - self.begun[ids]).max(initial=0))
        )
        self._put_down(ids)
        self.active = self.active[~over]
        takers = self.tasks.takers(now)
        freed = at[takers[self.task[ids]]]
        return len(ids), np.sort(np.maximum(freed, now)).astype(np.float32)

    def _put_down(self, ids: Ids) -> None:
        tasks = self.tasks
        places = self.task[ids]
        tasks.hands -= np.bincount(places, minlength=len(tasks))
        tasks.stuck -= np.bincount(places[self.stuck[ids]], minlength=len(tasks))

    def _give_back(self, ids: Ids, at: Seconds) -> None:
        """Active archives go back to the queue, to be taken again from `at` on."""
        if not len(ids):
            return
        remaining = (self.ends[ids] - self.virtual).astype(np.float32)
        progress = np.maximum(self.left[ids] - remaining, 0)
        lost = np.where(self.stuck[ids], progress, np.minimum(progress, self.assumed.resume_s))
        self.left[ids] = np.minimum(remaining + lost, self.left[ids])
        self.repeated_s += float(lost.sum())
        anew = int(self.stuck[ids].sum())
        self.begun_anew += anew
        self.handed_over += len(ids) - anew
        self._put_down(ids)
        self.ends[ids] = np.inf
        self.active = self.active[np.isfinite(self.ends[self.active])]
        self.returned.add(ids, at)

    def _held_by(self, places: Places) -> Ids:
        if not len(places) or not len(self.active):
            return self.active[:0]
        lost = np.zeros(len(self.tasks), np.bool_)
        lost[places] = True
        return self.active[lost[self.task[self.active]]]

    def _take_away(self, now: float) -> None:
        """Spot leaves two minutes to hand over; after a crash a message waits for its visibility."""
        share = self.assumed.spot_interruptions_per_hour * self.step / 3600
        for hour, reclaimed in self.scenario.reclaimed:
            share += self._once(("reclaimed", hour), hour, now) * reclaimed
        spot = self.tasks.lose(now, share, spot_only=True, chance=self.chance)
        crash = self.assumed.crashes_per_hour * self.step / 3600
        crashed = self.tasks.lose(now, crash, spot_only=False, chance=self.chance)
        self.interrupted += len(spot) + len(crashed)
        for places, wait in ((spot, 0.0), (crashed, self.visibility_s)):
            held = self._held_by(places)
            self._give_back(held, np.full(len(held), now + wait))
            self.tasks.end(places)

    def _follow(self, now: float) -> None:
        """ECS and the tasks themselves follow the desired count."""
        for hour in self.scenario.deployments:
            if self._once(("deployment", hour), hour, now):
                self.tasks.replace_version()
        desired = self.scaling.desired
        self.tasks.start(now, desired, shortage=_within(self.scenario.shortage, now))
        stopped = self.tasks.superfluous(now, desired, self.chance)
        held = self._held_by(stopped)
        self._give_back(held, np.full(len(held), now))
        self.tasks.end(stopped)
        held = self._held_by(self.tasks.look(now, desired))
        cheap = held[~self.stuck[held]]
        self._give_back(cheap, np.full(len(cheap), now))

    def _once(self, what: tuple[str, float], hour: float, now: float) -> bool:
        if now < hour * 3600 or what in self.seen:
            return False
        self.seen.add(what)
        return True

    def _hand_over_old(self, now: float) -> None:
        """No receipt lives longer than twelve hours: before that, the archive goes on as a fresh message."""
        if now > self.handover_s:
            self.longest_receipt_s = max(
                self.longest_receipt_s, now - float(self.begun[self.active].min(initial=now))
            )
            old = self.active[self.begun[self.active] < now - self.handover_s]
            self._give_back(old, np.full(len(old), now))

    def _take(self, now: float, pace: float, freed: Seconds32) -> None:
        """Free slots are filled, the longest waiting first; which task gets which is drawn."""
        takers = np.flatnonzero(self.tasks.takers(now))
        ages = np.minimum((now - self.tasks.ready_at[takers]) // self.step, len(self.limits) - 1)
        room = np.maximum(self.limits[ages.astype(np.int64)] - self.tasks.hands[takers], 0)
        rooms = min(int(room.sum()), self.most_in_flight - len(self.active))
        again = self.returned.due(now + self.step)
        fresh = int(np.searchsorted(self.at, np.float32(now + self.step), "left")) - self.head
        count = min(rooms, again + fresh)
        if count <= 0:
            return
        ids, at = self.returned.take(min(again, count))
        if more := count - len(ids):
            new = np.arange(self.head, self.head + more)
            self.head += more
            ids, at = np.concatenate((ids, new)), np.concatenate((at, self.at[new]))
        handed_on = freed[: min(len(freed), rooms)]
        open_at = np.concatenate((np.full(max(0, rooms - len(handed_on)), now), handed_on))[:count]
        begun = np.maximum(at, np.maximum(open_at, now))
        first = np.isnan(self.waits[ids])
        self.waits[ids[first]] = (begun - at)[first]
        self.begun[ids] = begun
        self.ends[ids] = self.virtual + pace * (begun - now) + self.left[ids]
        each = self.chance.multivariate_hypergeometric(room, count, method="marginals")
        self.task[ids] = self.chance.permutation(np.repeat(takers, each))
        self.tasks.hands[takers] += each
        self.tasks.stuck += np.bincount(self.task[ids[self.stuck[ids]]], minlength=len(self.tasks))
        self.active = np.concatenate((self.active, ids))
        self.receives += count

    def _measure(self, now: float, finished: int) -> tuple[float, ...]:
        fresh = int(np.searchsorted(self.at, np.float32(now), "left")) - self.head
        due = self.returned.due(now)
        visible, in_flight = fresh + due, len(self.active)
        oldest = [now - float(self.at[self.head])] if fresh else []
        oldest += [now - float(self.returned.at[0])] if due else []
        ready = self.tasks.ready(now)
        running = int(ready.sum())
        wanted = in_flight * self.cpu_each / (running * self.service.cores) if running else 0.0
        cpu = 100 * min(1.0, wanted)
        if now % 60 == 0:
            near = 1 + self.chance.normal(0, self.assumed.sqs_approximation, 2)
            self.scaling.minute(
                {
                    "ApproximateNumberOfMessagesVisible": visible * near[0],
                    "ApproximateNumberOfMessagesNotVisible": in_flight * near[1],
                    "DesiredTaskCount": float(self.scaling.desired),
                    "RunningTaskCount": float(running) if running else None,
                    "CPUUtilization": cpu if running else None,
                }
            )
        spot = int((self.tasks.alive & self.tasks.spot).sum())
        on_demand = int(self.tasks.alive.sum()) - spot
        return (
            visible, len(self.returned.ids) - due, in_flight, self.scaling.desired, running, on_demand, spot,
            cpu, max(oldest, default=0.0), finished,
        )  # fmt: skip


def _within(windows: tuple[Window, ...], now: float) -> bool:
    return any(begin * 3600 <= now < (begin + hours) * 3600 for begin, hours in windows)


def _ideal(run: _Run, at: Seconds, steps: int) -> Ids:
    """The fleet that takes every archive as it comes, aims where scaling aims, and shrinks at once."""
    begin = np.clip((at // run.step).astype(np.int64), 0, steps)
    end = np.clip(np.ceil((at + run.need) / run.step).astype(np.int64), 0, steps)
    change = np.bincount(begin, minlength=steps + 1) - np.bincount(end, minlength=steps + 1)
    there = np.cumsum(change[:-1])
    service = run.service
    by_count = np.ceil(there / service.backlog_target)
    by_cpu = np.ceil(there * run.cpu_each / (service.cores * service.cpu_target))
    sizes: Flags | Any = np.clip(np.maximum(by_count, by_cpu), service.least, service.most)
    return np.asarray(sizes, np.int64)
