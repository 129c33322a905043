"""Circuits: those that are not closed, and pausing by hand, both kept in the ledger by the services.

A pause is a circuit that nobody probes: of a service (`service:worker`) it stops the polling, of a host
(`download:files.example.com`) the downloads from there. Work in hand goes on.
"""

import getpass
import re
import time
from collections.abc import Iterator, Sequence

from ops.fleet.documents import Circuit, Switched, moment
from ops.fleet.environment import SERVICES, Fleet
from ops.fleet.refusals import Unusable
from runtime.shared.circuits import SERVICE
from runtime.shared.circuits.state import CircuitRecord, held
from runtime.shared.circuits.store import LedgerCircuits

VENDOR = "vendor"
HONOURED_WITHIN_S = 12
"""Each task looks every 10 seconds, give or take a fifth."""
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
DOWNLOAD = "download"
_ATTEMPTS = 5


def not_closed(fleet: Fleet) -> list[Circuit]:
    """Every circuit that is not closed, the oldest first."""
    records = LedgerCircuits(fleet.ledger).read().values()
    return [_document(record) for record in sorted(records, key=lambda record: record.since)]


def dependencies_of(scopes: Sequence[str]) -> list[str]:
    """The circuits of these: a service, `vendor` (both), or a download host. Raises Unusable."""
    return list(dict.fromkeys(name for scope in scopes for name in _dependencies(scope)))


def _dependencies(scope: str) -> Iterator[str]:
    if scope == VENDOR:
        # An environment speaks to one vendor: to leave it in peace is to list and to download nothing.
        yield from (f"{SERVICE}:{service}" for service in SERVICES)
    elif scope in SERVICES:
        yield f"{SERVICE}:{scope}"
    elif _HOST.fullmatch(scope.lower()) and ("." in scope or scope == "localhost"):
        yield f"{DOWNLOAD}:{scope.lower()}"
    else:
        raise Unusable(
            f"{scope!r} is nothing to pause: name {', '.join(SERVICES)}, {VENDOR} (both), or a download host "
            "such as files.example.com"
        )


def pause(fleet: Fleet, scopes: Sequence[str], why: str) -> Switched:
    """Hold the circuits open. Raises Unusable."""
    reason = f"paused by {getpass.getuser()}" + (f": {why}" if why else "")
    return _switch(fleet, scopes, reason)


def resume(fleet: Fleet, scopes: Sequence[str]) -> Switched:
    """Let go of what an operator holds open; other circuits close by themselves. Raises Unusable."""
    return _switch(fleet, scopes, None)


def _switch(fleet: Fleet, scopes: Sequence[str], reason: str | None) -> Switched:
    dependencies = dependencies_of(scopes)
    store = LedgerCircuits(fleet.ledger)
    changed = [name for name in dependencies if _step(store, name, reason)]
    return Switched(paused=reason is not None, scopes=dependencies, changed=changed)


def _step(store: LedgerCircuits, dependency: str, reason: str | None) -> bool:
    for _ in range(_ATTEMPTS):
        before = store.read().get(dependency)
        if reason is None and (before is None or not before.by_operator):
            return False
        after = None if reason is None else held(dependency, reason, time.time())
        # Refused when a service has taken a step of its own in between: then from there.
        if store.swap(dependency, before, after):
            return True
    raise Unusable(f"the circuit of {dependency} changes faster than it can be set; try again")


def _document(record: CircuitRecord) -> Circuit:
    return Circuit(
        dependency=record.dependency,
        state="paused" if record.by_operator else record.state,
        since=moment(record.since),
        reason=record.reason,
        by_operator=record.by_operator,
        failed_probes=record.failed_probes,
        next_probe_at=None if record.by_operator else moment(record.due_at),
    )
