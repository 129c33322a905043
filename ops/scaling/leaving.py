"""The departure of a task that is wanted no more: the part of scaling that is the service's own.

A way of leaving is three answers; the fleet asks them every minute. What the runtime does is
`LeavesWhenUnwanted`; the others are there to be compared with it.
"""

from collections.abc import Sequence
from typing import Protocol


class InHand(Protocol):
    """A task, as far as the ways of leaving look at it."""

    @property
    def hands(self) -> Sequence[object]:
        """The work that it is busy with."""

    @property
    def stuck(self) -> bool:
        """Whether some of that would have to begin anew elsewhere."""


class LeavingRule(Protocol):
    """One way of leaving. `unwanted`: the task is one of those above the desired count."""

    def takes_work(self, *, unwanted: bool) -> bool:
        """Whether the task polls."""

    def hands_over(self, *, unwanted: bool) -> bool:
        """Whether it gives back what another task can go on with."""

    def protected(self, task: InHand) -> bool:
        """Whether ECS may not stop it."""


class KeepsPolling:
    """Protected while busy, and busy for ever: one archive of many keeps the task, and it takes the next."""

    def takes_work(self, *, unwanted: bool) -> bool:  # noqa: ARG002  the point of it
        return True

    def hands_over(self, *, unwanted: bool) -> bool:  # noqa: ARG002
        return False

    def protected(self, task: InHand) -> bool:
        return bool(task.hands)


class StopsAtOnce:
    """Never protected: ECS stops whichever it likes, and what cannot be handed over cheaply begins anew."""

    def takes_work(self, *, unwanted: bool) -> bool:  # noqa: ARG002
        return True

    def hands_over(self, *, unwanted: bool) -> bool:  # noqa: ARG002
        return False

    def protected(self, task: InHand) -> bool:  # noqa: ARG002
        return False


class LeavesWhenUnwanted:
    """Unwanted, it takes nothing new and gives back what is cheap; protected for the rest alone."""

    def takes_work(self, *, unwanted: bool) -> bool:
        return not unwanted

    def hands_over(self, *, unwanted: bool) -> bool:
        return unwanted

    def protected(self, task: InHand) -> bool:
        return task.stuck
