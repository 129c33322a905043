"""An ECS service on Fargate and the work in its tasks' hands, minute by minute.

ECS starts tasks up to the desired count and stops those above it, but for the protected ones. Which it stops
is its own choice; here the choice is drawn, so that no way of leaving can rely on it.
"""

import math
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from ops.scaling.leaving import LeavingRule

# From a raised count to the first poll: placement, image, start.
_START_MINUTES = 2
# What stopping takes: two minutes at most.
_STOP_MINUTES = 2


@dataclass(slots=True, eq=False, kw_only=True)
class Work:
    """One archive. `resumable`: another task goes on where this one was, so that handing it over is cheap."""

    arrived: int
    minutes: float
    resumable: bool
    began: float = math.inf
    ends: float = math.inf


@dataclass(slots=True, eq=False)
class Task:
    """One task; `rank` is its fixed place in the order in which tasks are found superfluous."""

    rank: float
    ready_at: int
    hands: list[Work] = field(default_factory=list)
    takes_work: bool = True

    @property
    def stuck(self) -> bool:
        """Something in hand would have to begin anew elsewhere."""
        return any(not work.resumable for work in self.hands)


@dataclass(slots=True, kw_only=True)
class Tally:
    """The cost of a run: task-minutes, archives finished, handed over and killed, minutes done twice."""

    task_minutes: int = 0
    finished: int = 0
    handed_over: int = 0
    killed: int = 0
    repeated_minutes: float = 0
    waits: list[float] = field(default_factory=list)


class Fleet:
    """The tasks and the queue in front of them."""

    def __init__(
        self, leaving: LeavingRule, *, slots: int, resume_minutes: float, chance: random.Random
    ) -> None:
        """`resume_minutes`: what a hand-over of resumable work costs in work done again."""
        self._leaving = leaving
        self._slots = slots
        self._resume_minutes = resume_minutes
        self._chance = chance
        self._tasks: list[Task] = []
        self.waiting: deque[Work] = deque()
        self.tally = Tally()

    @property
    def alive(self) -> int:
        """Tasks that run or start."""
        return len(self._tasks)

    def running(self, now: int) -> int:
        """Tasks that have started."""
        return sum(task.ready_at <= now for task in self._tasks)

    @property
    def in_flight(self) -> int:
        """Archives in hand."""
        return sum(len(task.hands) for task in self._tasks)

    def minute(self, now: int, arrivals: Iterable[Work], desired: int) -> None:
        """One minute: work ends, tasks go or come, and those that take work take it."""
        self.waiting.extend(arrivals)
        for task in self._tasks:
            self._finish(task, now)
        self._leave(now, desired)
        self._follow(now, desired)
        self._take(now)
        self.tally.task_minutes += len(self._tasks)

    def _finish(self, task: Task, now: int) -> None:
        going = [work for work in task.hands if work.ends > now]
        self.tally.finished += len(task.hands) - len(going)
        task.hands = going

    def _leave(self, now: int, desired: int) -> None:
        """Tell each task whether it is wanted, and take from it what it lets go."""
        superfluous = len(self._tasks) - desired
        for place, task in enumerate(sorted(self._tasks, key=lambda task: task.rank)):
            unwanted = place < superfluous
            task.takes_work = self._leaving.takes_work(unwanted=unwanted)
            if self._leaving.hands_over(unwanted=unwanted):
                self._hand_over(task, now, [work for work in task.hands if work.resumable])

    def _follow(self, now: int, desired: int) -> None:
        for _ in range(desired - len(self._tasks)):
            self._tasks.append(Task(self._chance.random(), now + _START_MINUTES))
        superfluous = len(self._tasks) - desired
        if superfluous > 0:
            free = [task for task in self._tasks if not self._leaving.protected(task)]
            for task in self._chance.sample(free, min(superfluous, len(free))):
                self._hand_over(task, now, list(task.hands))
                self._tasks.remove(task)
                self.tally.task_minutes += _STOP_MINUTES

    def _hand_over(self, task: Task, now: int, given: Iterable[Work]) -> None:
        for work in given:
            task.hands.remove(work)
            done = now - work.began
            lost = min(done, self._resume_minutes) if work.resumable else done
            work.minutes = work.ends - now + lost
            self.tally.repeated_minutes += lost
            self.tally.handed_over += work.resumable
            self.tally.killed += not work.resumable
            self.waiting.append(work)

    def _take(self, now: int) -> None:
        """Whoever polls gets some: a message goes to a task with a free slot, drawn."""
        open_tasks = [
            task
            for task in self._tasks
            if task.takes_work and task.ready_at <= now and len(task.hands) < self._slots
        ]
        while self.waiting and open_tasks:
            place = self._chance.randrange(len(open_tasks))
            task, work = open_tasks[place], self.waiting.popleft()
            if math.isinf(work.began):
                self.tally.waits.append(now - work.arrived)
            work.began, work.ends = now, now + work.minutes
            task.hands.append(work)
            if len(task.hands) >= self._slots:
                open_tasks[place] = open_tasks[-1]
                open_tasks.pop()
