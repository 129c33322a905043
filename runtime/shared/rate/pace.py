"""So many calls a second over the whole fleet: a token bucket in one ledger item.

It is leased a quarter second at a time.

The item holds the moment of the next free slot. A process moves it on by the slots that it takes, under the
condition that nobody has moved it since, and then makes one call at each of them. One that is told to slow
down (429) writes that there too, and nobody takes a slot before.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable

from boto3.dynamodb.conditions import Attr
from botocore.exceptions import BotoCoreError, ClientError

from ..backoff import Wait
from ..ledger.expressions import Change, absent_or
from ..ledger.table import ConditionRefused, Item, LedgerTable

# No job id holds a `#`.
_PARTITION = "#rate"
_NEXT, _PAUSED = "next_slot_at", "paused_until"
# What a process takes at once; what it does not use of that is nobody's.
_LEASED_S = 0.25
# Without a rate of our own the others' pauses are still looked for, this often.
_LOOK_S = 5.0
# A wait beyond this is the message's to make, not the slot's.
LONGEST_WAIT_S = 3.0
# A 429 that does not say for how long.
DEFAULT_PAUSE_S = 5.0
_ATTEMPTS = 50

_log = logging.getLogger(__name__)


class TooFast(Exception):
    """It is not this caller's turn for longer than it may wait; `retry_after_s` says for how long."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"the vendor's limit leaves no call for {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class Pace:
    """Thread-safe. `per_s` 0 sets no rate: only the pauses that the other side asks for are kept."""

    def __init__(
        self, table: LedgerTable, name: str, *, per_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._table = table
        self._name = name
        self._interval_s = 1 / per_s if per_s else 0.0
        self._batch = max(1, math.floor(per_s * _LEASED_S))
        self._clock = clock
        self._lock = threading.Lock()
        self._slots: deque[float] = deque()
        self._paused_until = 0.0
        self._looked_at = float("-inf")

    def take(self, wait: Wait) -> None:
        """Wait for this caller's turn.

        Raises TooFast when that is too far away, or when the wait is cancelled; and the table's errors.
        """
        with self._lock:
            slot = self._slot()
        pause_s = slot - self._clock()
        if pause_s <= 0:
            return
        if pause_s > LONGEST_WAIT_S or wait(pause_s):
            with self._lock:
                # The turn is still good for another caller.
                if self._interval_s and slot >= self._paused_until:
                    self._slots.appendleft(slot)
            raise TooFast(max(pause_s, 0.0))

    def slow_down(self, pause_s: float | None) -> None:
        """The other side has asked for a pause: the whole fleet makes it."""
        until = self._clock() + (DEFAULT_PAUSE_S if pause_s is None else pause_s)
        with self._lock:
            # Many calls are refused in the same moment; the first has told everybody.
            if until <= self._paused_until + 1:
                return
            self._paused_until = until
            self._slots.clear()
        later = Attr(_PAUSED).not_exists() | Attr(_PAUSED).lt(round(until, 3))
        try:
            self._table.update(Change(job=_PARTITION, key=self._name, set={_PAUSED: until}, when=later))
        except ConditionRefused:
            return
        except (ClientError, BotoCoreError) as error:
            _log.warning("The others cannot be told to slow down: %s", error)

    def _slot(self) -> float:
        now = self._clock()
        if not self._interval_s:
            if now - self._looked_at > _LOOK_S:
                self._looked_at = now
                self._look()
            return self._paused_until
        # A slot that was not used in its time is not saved up: the other side counts by the second.
        while self._slots and self._slots[0] < now - _LEASED_S:
            self._slots.popleft()
        if not self._slots:
            self._slots.extend(self._lease(now))
        return self._slots.popleft()

    def _look(self) -> None:
        try:
            self._heed(self._table.get(_PARTITION, self._name) or {})
        except (ClientError, BotoCoreError) as error:
            # No rate is asked for, and a pause of the others is no reason to stand still without them.
            _log.warning("The others' pauses cannot be read: %s", error)

    def _lease(self, now: float) -> list[float]:
        item = self._table.get(_PARTITION, self._name) or {}
        for _ in range(_ATTEMPTS):
            self._heed(item)
            start = max(now, float(item.get(_NEXT, 0)), self._paused_until)
            after = start + self._batch * self._interval_s
            # Nobody else takes a slot while the next one is far away: they would only grow a queue.
            if start - now > LONGEST_WAIT_S:
                raise TooFast(start - now)
            change = Change(
                job=_PARTITION, key=self._name, set={_NEXT: after}, when=absent_or(_NEXT, item.get(_NEXT))
            )
            try:
                self._table.update(change)
            except ConditionRefused as refusal:
                item = refusal.items[0]
            else:
                return [start + number * self._interval_s for number in range(self._batch)]
        raise TooFast(LONGEST_WAIT_S)

    def _heed(self, item: Item) -> None:
        self._paused_until = max(self._paused_until, float(item.get(_PAUSED, 0)))
