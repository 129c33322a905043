"""The thread that keeps a process's view of the circuits fresh, probes what is due, and pauses the polling.

A probe is one call of its own, made by whichever task of the fleet takes the step to half-open first, and has
until the record's deadline, headers and body included. Polling stays paused through open and half-open, so no
message is spent on finding out.
"""

import logging
import random
import threading
from collections.abc import Callable
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from .circuits import Circuits, DependencyKind
from .state import CircuitRecord, probing, reopened

PAUSE_REASON = "circuit"

Concerned = Callable[[frozenset[str]], bool]
"""Whether polling makes no sense while these dependencies' circuits are not closed."""

_log = logging.getLogger(__name__)


class Pausable(Protocol):
    """A consumer, as far as this needs it."""

    def pause(self, reason: str) -> None: ...
    def resume(self, reason: str) -> None: ...


class Keeper:
    """One per process. `turn` is one look at everything; `start` makes a thread take turns."""

    def __init__(self, circuits: Circuits, consumer: Pausable, concerned: Concerned) -> None:
        self._circuits = circuits
        self._consumer = consumer
        self._concerned = concerned
        self._applying = threading.Lock()
        self._changed = threading.Event()
        self._probing: set[str] = set()
        circuits.on_change = self._on_change

    def start(self) -> None:
        """The first turn is taken here, so that a task that starts into an outage polls nothing."""
        self.turn()
        threading.Thread(target=self._run, name="circuits", daemon=True).start()

    def turn(self) -> float:
        """Refresh, begin due probes, tell people; returns the seconds until the next turn."""
        circuits = self._circuits
        try:
            circuits.refresh()
        except (ClientError, BotoCoreError) as error:
            _log.warning("The circuits cannot be read; what was last known goes on: %s", error)
        view = circuits.view
        now = circuits.clock()
        for dependency, record in view.items():
            kind = circuits.kind_of(dependency)
            # Who has made such calls goes first, because its probe asks what has failed; should all of those
            # be gone, anybody else's must do.
            grace_s = 0.0 if circuits.has_called(dependency) else circuits.config.reset_s
            # One that is stuck beyond its deadline has lost its turn, but a second thread would help nobody.
            if kind is not None and record.due(now - grace_s) and dependency not in self._probing:
                self._begin_probe(kind, record, now)
        circuits.announcer.show(view)
        circuits.announcer.send_pending()
        config = circuits.config
        # Spread, so that tasks started together do not ask, and probe, together.
        return (config.urgent_refresh_s if view else config.refresh_s) * random.uniform(0.8, 1.2)  # noqa: S311

    def _begin_probe(self, kind: DependencyKind, record: CircuitRecord, now: float) -> None:
        dependency = record.dependency
        begun = probing(record, now, self._circuits.config)
        # Whoever makes this step owns the probe: the others' steps from the same record are refused.
        if not self._circuits.step(dependency, record, begun):
            return
        self._probing.add(dependency)
        threading.Thread(
            target=self._probe, args=(kind, begun), name=f"probe-{dependency}", daemon=True
        ).start()

    def _probe(self, kind: DependencyKind, begun: CircuitRecord) -> None:
        circuits, dependency = self._circuits, begun.dependency
        try:
            reason = _trouble(kind, dependency)
            now = circuits.clock()
            if begun.due(now):
                reason = reason or f"the probe took longer than {circuits.config.probe_deadline_s:g} s"
            after = reopened(begun, reason, now, circuits.config) if reason else None
            # Refused when the deadline has passed and another task has taken the probe over.
            circuits.step(dependency, begun, after)
        finally:
            self._probing.discard(dependency)

    def _on_change(self) -> None:
        # Looked at inside the lock: of two threads that change the view the later must have the last word.
        with self._applying:
            if self._concerned(frozenset(self._circuits.view)):
                self._consumer.pause(PAUSE_REASON)
            else:
                self._consumer.resume(PAUSE_REASON)
        self._changed.set()

    def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                pause_s = self.turn()
            except Exception:  # noqa: BLE001  this thread must outlive whatever one turn met
                _log.exception("Looking after the circuits failed")
                pause_s = self._circuits.config.refresh_s
            # Woken by a change, because people are to hear of it now.
            self._changed.wait(pause_s)


def _trouble(kind: DependencyKind, dependency: str) -> str:
    """The failure of a probe, where it speaks against the dependency; "" when nothing does."""
    try:
        kind.probe(dependency)
    except Exception as error:  # noqa: BLE001  whatever it met, the circuit has to hear of it
        if kind.counts(error):
            return str(error)[:500] or type(error).__name__
    return ""
