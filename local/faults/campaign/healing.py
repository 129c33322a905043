"""Exports that are mended while the campaign runs: an operator hears of a bad end and sends the job again."""

import time
from collections import Counter
from collections.abc import Callable, Mapping

from local.export_api.catalogue import Catalogue, Export
from local.faults.judge.parking import LedgerItem

_LOOK_EVERY_S = 1.0
_BAD_ENDS = ("incomplete", "failed")


class Healing:
    """`mended` are the exports that take the place of those of the same ids."""

    def __init__(
        self,
        mended: Mapping[str, Export],
        catalogue: Catalogue,
        ledger: LedgerItem,
        send: Callable[[str], None],
    ) -> None:
        self._left = dict(mended)
        self._catalogue = catalogue
        self._ledger = ledger
        self._send = send
        self._looked_at = 0.0
        self.count: Counter[str] = Counter()

    def look(self) -> int:
        """Mend and send again what has ended badly since; returns how many. At most once a second."""
        if not self._left or time.monotonic() - self._looked_at < _LOOK_EVERY_S:
            return 0
        self._looked_at = time.monotonic()
        ended = [job_id for job_id in self._left if self._has_ended_badly(job_id)]
        for job_id in ended:
            self._catalogue.add(self._left.pop(job_id))
            self._send(job_id)
            self.count["sent-again"] += 1
        return len(ended)

    def _has_ended_badly(self, job_id: str) -> bool:
        item = self._ledger(job_id, "JOB")
        # Before the end has been said, the job is still in its run.
        return item.get("status") in _BAD_ENDS and "announced" in item
