"""Lists one job to its end: page by page, each page counted, sent and then recorded, in memory of one page.

An interrupted listing goes on at the recorded page. Its tasks may be sent twice then, but are counted once.
Unusable records do not hold back the usable ones: the listing goes on to the end, is not called complete,
and is tried again from the first bad page; a record that stays bad parks the job's message with the record's
fault as its error.
"""

import logging

from runtime.orchestrator.dispatcher import Dispatcher
from runtime.orchestrator.pagination import Listing, Page
from runtime.shared.consumer import Delivery
from runtime.shared.contracts import Priority, task_id_for
from runtime.shared.export_api import NotFound, Refused
from runtime.shared.ledger import JobClaim, JobLedger, JobState

# So many pages in a row without a new file, beyond those known before, are a vendor's loop and not a listing.
MAX_BARREN_PAGES = 100

_log = logging.getLogger(__name__)


class ListingFault(Exception):
    """The API's listing cannot be brought to an end as it is; `reason` is machine-readable."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class JobLister:
    """Stateless between jobs; one instance serves every slot."""

    def __init__(self, listing: Listing, ledger: JobLedger, dispatcher: Dispatcher) -> None:
        self._listing = listing
        self._ledger = ledger
        self._dispatcher = dispatcher

    def run(self, claim: JobClaim, delivery: Delivery, priority: Priority | None) -> JobState:
        """Dispatch everything from where the claim says to the end, and record that it is the end.

        Raises Cancelled, LeaseLost, ApiError, NotSent, ListingFault.
        """
        position, number, barren = claim.cursor, claim.pages, 0
        faults: list[str] = []
        while True:
            delivery.cancellation.raise_if_set()
            page = self._page(claim, position, delivery, resumed=number == claim.pages)
            new = self._dispatch(claim, page, number, priority)
            delivery.progressed()
            faults += page.malformed[: 3 - len(faults)]
            number += 1
            barren = 0 if new else barren + 1
            if page.next_position is None:
                break
            if barren > MAX_BARREN_PAGES + claim.pages:
                raise ListingFault("listing-loop", f"{barren} pages in a row brought no new file")
            position = page.next_position
            if not faults:
                self._ledger.advance(claim, position, number)
        if faults:
            raise ListingFault("malformed-file-records", "; ".join(faults))
        return self._ledger.finish_listing(claim)

    def _page(self, claim: JobClaim, position: str | None, delivery: Delivery, *, resumed: bool) -> Page:
        try:
            return self._listing.page(claim.export_job_id, position, wait=delivery.cancellation.wait)
        except (Refused, NotFound) as error:
            if not (resumed and position is not None):
                raise
            # Cursors may expire while a job waits. Every task is counted once, so starting over is safe.
            _log.warning("The recorded position is no longer accepted (%s); listing from the start", error)
            return self._listing.page(claim.export_job_id, None, wait=delivery.cancellation.wait)

    def _dispatch(self, claim: JobClaim, page: Page, number: int, priority: Priority | None) -> int:
        """Count and send the page's tasks; returns how many were new."""
        records = {task_id_for(claim.export_job_id, record.file_id): record for record in page.records}
        recorded = self._ledger.record_tasks(
            claim, {task_id: record.file_id for task_id, record in records.items()}, number
        )
        self._dispatcher.send(
            claim.export_job_id,
            (records[task_id] for task_id in (*recorded.new, *recorded.again)),
            correlation_id=claim.correlation_id,
            priority=priority,
        )
        return len(recorded.new)
