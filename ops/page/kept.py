"""Answers that are kept for a few seconds and renewed in the background, so that a page never waits for long.

A view gets what is there, however old it is within reason, and what is there soon; `None` says that the
first answer is still on its way, and the page asks again.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

_MOST_KEPT = 200


@dataclass(slots=True)
class _Entry:
    """The last answer (or error) with its time, and the one that is on its way."""

    answer: Future[Any] | None = None
    at: float = 0.0
    coming: Future[Any] | None = None


class Kept:
    """Thread-safe. Each answer is asked for once at a time, however many look."""

    def __init__(
        self,
        *,
        fresh_s: float,
        stale_s: float,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fresh_s = fresh_s
        self._stale_s = stale_s
        self._patience_s = patience_s
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def get(self, key: Hashable, load: Callable[[], Any]) -> Any:
        """The answer; None when there is none within `patience_s`. Raises what `load` raised."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > _MOST_KEPT:
                self._entries.popitem(last=False)
            age_s = self._clock() - entry.at
            if entry.answer is not None and age_s < self._fresh_s:
                answer: Future[Any] = entry.answer
                return answer.result()
            if entry.coming is None:
                entry.coming = Future()
                threading.Thread(
                    target=self._load, args=(entry, entry.coming, load), name="page-reads", daemon=True
                ).start()
            coming, old = entry.coming, entry.answer if age_s < self._stale_s else None
        try:
            return coming.result(self._patience_s)
        except TimeoutError:
            return None if old is None else old.result()

    def _load(self, entry: _Entry, coming: "Future[Any]", load: Callable[[], Any]) -> None:
        error: BaseException | None = None
        answer: Any = None
        try:
            answer = load()
        except BaseException as met:  # noqa: BLE001  whatever it met, whoever waits for it has to hear
            error = met
        # In one step, so that nobody takes an answer that has come for one that is still on its way.
        with self._lock:
            if error is None:
                coming.set_result(answer)
            else:
                coming.set_exception(error)
            entry.answer, entry.at, entry.coming = coming, self._clock(), None
