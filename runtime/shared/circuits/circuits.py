"""The callers' side: a guard around each call, which fails at once while the circuit is not closed.

A call costs no read and no write: each process watches its own calls, and knows of the others' through the
view that the keeper refreshes. Only opening a circuit writes.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from .announcing import Announcer
from .config import CircuitConfig
from .recent_calls import RecentCalls
from .state import CircuitRecord, tripped
from .store import CircuitStore

_MOST_DEPENDENCIES = 1_000

_log = logging.getLogger(__name__)


class CircuitOpen(Exception):
    """No call was made: the dependency is in trouble. Retry after `retry_after_s`."""

    def __init__(self, dependency: str, retry_after_s: float) -> None:
        super().__init__(f"the circuit of {dependency} is not closed")
        self.dependency = dependency
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class DependencyKind:
    """`counts` tells the errors that speak of the dependency from those of one request.

    `probe(dependency)` makes one call outside the circuit and raises what it met.
    """

    counts: Callable[[BaseException], bool]
    probe: Callable[[str], None]


class Circuits:
    """Thread-safe. A dependency is a kind (`status`), or one of a kind (`download:files.example.com`)."""

    def __init__(
        self,
        config: CircuitConfig,
        store: CircuitStore,
        announcer: Announcer,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.store = store
        self.announcer = announcer
        self.clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[str, DependencyKind] = {}
        self._recent_calls: dict[str, RecentCalls] = {}
        self._view: dict[str, CircuitRecord] = {}
        self._steps = 0
        self._called: set[str] = set()
        self.on_change: Callable[[], None] = lambda: None
        """Called after every change of the view, by whichever thread made it; must not block."""

    def add(
        self, kind: str, *, counts: Callable[[BaseException], bool], probe: Callable[[str], None]
    ) -> None:
        """Have calls of this kind guarded."""
        self._kinds[kind] = DependencyKind(counts, probe)

    def kind_of(self, dependency: str) -> DependencyKind | None:
        """None when this service has no calls of that kind, and so cannot probe it."""
        return self._kinds.get(dependency.partition(":")[0])

    def has_called(self, dependency: str) -> bool:
        """Whether this process knows what to ask in a probe."""
        return dependency in self._called

    @property
    def view(self) -> Mapping[str, CircuitRecord]:
        """The circuits that are not closed, as far as this process knows."""
        with self._lock:
            return dict(self._view)

    @contextmanager
    def call(self, dependency: str) -> Iterator[Callable[[], None]]:
        """Guard one call.

        What is given may be called before its end, to say that what follows is another matter. Raises
        CircuitOpen instead of letting the call happen.
        """
        kind = self._kinds[dependency.partition(":")[0]]
        with self._lock:
            record = self._view.get(dependency)
            if len(self._called) < _MOST_DEPENDENCIES:
                self._called.add(dependency)
        if record is not None:
            raise CircuitOpen(dependency, max(record.due_at - self.clock(), 1.0))
        try:
            yield lambda: self._succeeded(dependency)
        except CircuitOpen:
            raise  # another dependency's, met on the way
        except BaseException as error:
            if kind.counts(error):
                self._failed(dependency, error)
            raise
        self._succeeded(dependency)

    def _succeeded(self, dependency: str) -> None:
        with self._lock:
            # A call that began before the circuit opened may end well afterwards: only a probe closes it.
            if dependency not in self._view:
                self._recent(dependency).succeeded(self.clock())

    def refresh(self) -> None:
        """See what the fleet's circuits are. Raises the store's errors."""
        with self._lock:
            steps = self._steps
        found = self.store.read()
        with self._lock:
            # A step taken while the store was being read may be missing in what it said.
            if steps != self._steps:
                return
            for dependency in self._view.keys() - found.keys():
                # Failures from before would open it again at the first one after.
                self._recent(dependency).clear()
            changed = found != self._view
            self._view = dict(found)
        # Who is told of a change looks again at once: told of every look, it would never stop looking.
        if changed:
            self.on_change()

    def step(self, dependency: str, before: CircuitRecord | None, after: CircuitRecord | None) -> bool:
        """Take one step for the fleet, and tell people; false when another process was first.

        A store that cannot be asked is as good as an agreement: better several probes than none.
        """
        try:
            taken = self.store.swap(dependency, before, after)
        except (ClientError, BotoCoreError) as error:
            _log.warning("The circuit of %s changes for this process alone: %s", dependency, error)
            taken = True
        if not taken:
            return False
        with self._lock:
            self._steps += 1
            if after is None:
                self._view.pop(dependency, None)
                self._recent(dependency).clear()
            else:
                self._view[dependency] = after
        self.announcer.changed(dependency, before, after)
        self.on_change()
        return True

    def _failed(self, dependency: str, error: BaseException) -> None:
        now = self.clock()
        with self._lock:
            # Calls that were under way when the circuit opened must not open it a second time.
            if dependency in self._view:
                return
            why = self._recent(dependency).failed(now)
            if why is None:
                return
            record = tripped(dependency, f"{why}, the last: {error}"[:500], now, self.config)
            # Before the store is asked, so that no other thread of this process asks it as well.
            self._view[dependency] = record
            self._steps += 1
        # When another process was first, its record replaces this one at the next refresh.
        if not self.step(dependency, None, record):
            self.on_change()

    def _recent(self, dependency: str) -> RecentCalls:
        if len(self._recent_calls) >= _MOST_DEPENDENCIES and dependency not in self._recent_calls:
            self._recent_calls.pop(next(iter(self._recent_calls)))
        return self._recent_calls.setdefault(dependency, RecentCalls(self.config))
