"""Whether this task is one too many, and leaves: decisions only, so that a simulation can make them too.

ECS stops whom it likes among the tasks that are not protected. A protected one has to notice by itself that
the service has more tasks than it wants, or runs another version now; else it takes work for as long as there
is some, and stays for ever. Who leaves is drawn by the task's name, with nobody asking anybody: about as many
as are too many, always the same ones while the numbers stand, and others after a while if too few were
drawn. Whoever was drawn stays so until nobody is too many.
"""

import hashlib
from dataclasses import dataclass, field

# Who leaves still runs, and counts as one too many, until what cannot be handed over is done. Drawn again
# before that, ever more would leave: as long as nearly every archive takes (19 in 20: 90 minutes).
DRAW_S = 5_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """The service as ECS describes it, seen by one of its tasks."""

    desired: int
    running: int
    current: bool
    """This task is of the version that the service is to run."""
    version_desired: int
    version_running: int
    """Tasks of that version."""

    @property
    def share_to_leave(self) -> float:
        """Of the tasks like this one, how many are not wanted: 0 to 1.

        An old version leaves in step with the tasks of the new one that run. The new one looks at itself
        alone: tasks of the old one that still finish something are too many, but not its own.
        """
        if self.current:
            return _surplus(self.version_running, self.version_desired)
        replaced = self.version_running / self.version_desired if self.version_desired > 0 else 1.0
        return min(1.0, max(_surplus(self.running, self.desired), replaced))


def _surplus(running: int, desired: int) -> float:
    return max(0.0, (running - desired) / running) if running > 0 else 0.0


def draw(task: str, now_s: float) -> float:
    """A number from 0 to 1 that is the task's own for a while."""
    text = f"{task} {int(now_s // DRAW_S)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


@dataclass
class Leaving:
    """One task's decision; one thread at a time tells it."""

    task: str
    unwanted: bool = False
    _drawn: bool = field(default=False, init=False)
    _blocked: bool = field(default=False, init=False)

    def seen(self, view: ServiceView, now_s: float) -> bool:
        """Whether to leave, as the service stands at `now_s` (epoch seconds)."""
        share = view.share_to_leave
        self._drawn = share > 0 and (self._drawn or draw(self.task, now_s) < share)
        return self._decide()

    def answered(self, failure: str | None) -> bool:
        """Note the agent's answer to a request for protection: a deployment may wait for this very task."""
        self._blocked = failure == "DEPLOYMENT_BLOCKED"
        return self._decide()

    def _decide(self) -> bool:
        self.unwanted = self._drawn or self._blocked
        return self.unwanted
