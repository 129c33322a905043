"""So many at once over the whole fleet: each process leases a number of permits from one ledger item.

A lease lasts half a minute and is renewed while permits are in use, for as many as were in use at most since
the last time. What a process that died had leased is free again when its lease is over.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ..backoff import Wait
from ..ledger.expressions import Change, absent_or
from ..ledger.table import ConditionRefused, Item, LedgerTable

_PARTITION = "#permits"
_LEASE_S = 30.0
_RENEW_S = 10.0
# How often a caller without a permit asks the ledger for one, and for how long it waits in all.
_ASK_S = 0.5
_LOOK_S = 0.05
LONGEST_WAIT_S = 3.0
_ATTEMPTS = 50

_log = logging.getLogger(__name__)


class NoneFree(Exception):
    """Every permit of the fleet is in use; `retry_after_s` says when it is worth asking again."""

    retry_after_s = 1.0

    def __init__(self, name: str) -> None:
        super().__init__(f"as many as are allowed at once are in use ({name})")


class Permits:
    """Thread-safe; `owner` names this process. `limit` 0 allows any number and costs nothing."""

    def __init__(
        self,
        table: LedgerTable,
        name: str,
        *,
        limit: int,
        owner: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._name = name
        self._limit = limit
        # In a condition a dot or colon would lead elsewhere.
        self._owner = owner.encode().hex()
        self._clock = clock
        self._changed = threading.Condition()
        self._granted = self._in_use = self._most = 0
        self._until = self._asked_at = float("-inf")

    @contextmanager
    def hold(self, wait: Wait, longest_s: float = LONGEST_WAIT_S) -> Iterator[None]:
        """One permit for the duration of a `with` block.

        Raises NoneFree after `longest_s` or when the wait is cancelled; and the table's errors.
        """
        if not self._limit:
            yield
            return
        self._acquire(wait, longest_s)
        try:
            yield
        finally:
            with self._changed:
                self._in_use -= 1
                self._changed.notify()

    def _acquire(self, wait: Wait, longest_s: float) -> None:
        deadline = self._clock() + longest_s
        while not self._take():
            if self._clock() >= deadline or wait(_LOOK_S):
                raise NoneFree(self._name)

    def _take(self) -> bool:
        with self._changed:
            now = self._clock()
            if now >= self._until - (_LEASE_S - _RENEW_S) or (
                self._in_use >= self._granted and now - self._asked_at >= _ASK_S
            ):
                self._renew(now, self._in_use + 1)
            if self._in_use >= self._granted:
                return False
            self._in_use += 1
            self._most = max(self._most, self._in_use)
            return True

    def keep(self) -> None:
        """Renew what is in use, when it is time; for whoever holds permits for longer than a lease."""
        with self._changed:
            now = self._clock()
            if self._in_use and now >= self._until - (_LEASE_S - _RENEW_S):
                self._renew(now, self._in_use)

    def _renew(self, now: float, least: int) -> None:
        """Ask for `least`, or for what has been used lately; take what the others leave."""
        self._asked_at = now
        wanted = max(least, self._most)
        self._most = self._in_use
        item: Item = self._table.get(_PARTITION, self._name) or {}
        for _ in range(_ATTEMPTS):
            others = self._others(item, now)
            free = self._limit - sum(int(permits) for permits, _ in others.values())
            granted = max(0, min(wanted, free))
            mine = {self._owner: [granted, now + _LEASE_S]} if granted else {}
            change = Change(
                job=_PARTITION,
                key=self._name,
                set={"holders": {**others, **mine}, "version": int(item.get("version", 0)) + 1},
                when=absent_or("version", item.get("version")),
            )
            try:
                self._table.update(change)
            except ConditionRefused as refusal:
                item = refusal.items[0]
            else:
                self._granted, self._until = granted, now + _LEASE_S
                return
        # So many others write at once that nobody's count would be right for long.
        self._granted = min(self._granted, self._in_use)

    def _others(self, item: Item, now: float) -> dict[str, list[float]]:
        holders: Mapping[str, list[float]] = item.get("holders", {})
        return {
            owner: [int(permits), float(until)]
            for owner, (permits, until) in holders.items()
            if owner != self._owner and float(until) > now
        }


class HostPermits:
    """Permits by host name, made when a host is first met."""

    def __init__(self, table: LedgerTable, kind: str, *, limit: int, owner: str) -> None:
        self._table = table
        self._kind = kind
        self._limit = limit
        self._owner = owner
        self._lock = threading.Lock()
        self._hosts: dict[str, Permits] = {}
        threading.Thread(target=self._keep, name=f"permits-{kind}", daemon=True).start()

    def of(self, host: str) -> Permits:
        with self._lock:
            if host not in self._hosts:
                self._hosts[host] = Permits(
                    self._table, f"{self._kind} {host}", limit=self._limit, owner=self._owner
                )
            return self._hosts[host]

    def _keep(self) -> None:
        """A download may run for hours on one connection: its permit is renewed from here."""
        while True:
            time.sleep(_RENEW_S / 2)
            with self._lock:
                every = list(self._hosts.values())
            for permits in every:
                try:
                    permits.keep()
                except Exception:  # noqa: BLE001  this thread must outlive whatever one turn met
                    _log.exception("Renewing the connections' permits failed")
