"""Lists one job to its end: page by page, each page counted, sent and then recorded, in memory of one page.

An interrupted listing goes on at the recorded page. Its tasks may be sent twice then, but are counted once.
A record that is not usable holds back no other: it is rejected with its reason in ledger, log and metric, and
the job is not called complete.
"""

import logging
from dataclasses import replace

from runtime.orchestrator.dispatcher import Dispatcher
from runtime.shared import tracing
from runtime.shared.consumer import Delivery
from runtime.shared.contracts import DownloadTask, ParkReason, Priority, task_id_for
from runtime.shared.export_api import ExportApi, NotFound, Page, Refused
from runtime.shared.ledger import JobClaim, JobState, Ledger, ListingState, WorkUnit
from runtime.shared.metrics import Metrics
from runtime.shared.sending import MessagesRefused

# So many pages in a row without a new file, beyond those known before, are a vendor's loop and not a listing.
MAX_BARREN_PAGES = 100
# A page that leads to itself, or to one before it, proves a loop; it may yet be a moment's confusion.
_PROVEN_LOOP = MAX_BARREN_PAGES // 4
_REJECTIONS_KEPT = 5
_REJECTION_CHARACTERS = 300
_REJECTIONS_LOGGED_PER_PAGE = 20
# Positions remembered within one attempt, to know a loop of several pages when it closes.
_MOST_REMEMBERED = 100_000

_log = logging.getLogger(__name__)


class ListingFault(Exception):
    """The API's listing cannot be brought to an end as it is.

    `reason` is machine-readable; `final` says that it has been tried often enough.
    """

    def __init__(self, reason: str, text: str, *, final: bool) -> None:
        super().__init__(text)
        self.reason = reason
        self.final = final


class JobLister:
    """Stateless between jobs; one instance serves every slot."""

    def __init__(
        self,
        api: ExportApi,
        ledger: Ledger,
        dispatcher: Dispatcher,
        metrics: Metrics,
        *,
        max_pages: int,
    ) -> None:
        self._api = api
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._metrics = metrics
        self._max_pages = max_pages

    def run(self, claim: JobClaim, delivery: Delivery, priority: Priority | None) -> JobState:
        """Dispatch everything from where the claim says to the end, and record that it is the end.

        Raises Cancelled, LeaseLost, ApiError, NotSent, ListingFault.
        """
        so_far = claim.listing
        seen = {hash(so_far.cursor)}
        while True:
            delivery.cancellation.raise_if_set()
            page, so_far = self._page(claim, so_far, delivery)
            with tracing.span("dispatch", page=so_far.pages, files=len(page.records)):
                new = self._dispatch(claim, page, so_far.pages, priority)
            delivery.progressed()
            so_far = replace(
                self._with_rejected(so_far, page.rejected),
                pages=so_far.pages + 1,
                barren=0 if new else so_far.barren + 1,
                cursor=page.next_position,
            )
            if so_far.cursor is None:
                return self._ledger.finish_listing(claim, so_far)
            if page.repeats or hash(so_far.cursor) in seen:
                self._give_up(claim, so_far, _PROVEN_LOOP, "the listing leads back to a page it has shown")
            if so_far.barren > _allowance(claim):
                self._give_up(claim, so_far, 1, f"{so_far.barren} pages in a row brought no new file")
            if so_far.pages >= self._max_pages:
                raise ListingFault(
                    "listing-too-long", f"the listing has more than {self._max_pages} pages", final=True
                )
            if len(seen) < _MOST_REMEMBERED:
                seen.add(hash(so_far.cursor))
            self._ledger.advance(claim, so_far)
            delivery.advanced()

    def _give_up(self, claim: JobClaim, so_far: ListingState, weight: int, text: str) -> None:
        """Count what cannot be a listing on the job, so that no number of attempts makes it endless."""
        spent = replace(so_far, barren=max(so_far.barren, claim.listing.barren + weight))
        self._ledger.advance(claim, spent)
        raise ListingFault("listing-loop", text, final=spent.barren > _allowance(claim))

    def _page(self, claim: JobClaim, so_far: ListingState, delivery: Delivery) -> tuple[Page, ListingState]:
        """The next page, and the state it continues."""
        job, wait = claim.export_job_id, delivery.cancellation.wait
        try:
            return self._api.list_files(job, so_far.cursor, wait=wait), so_far
        except (Refused, NotFound) as error:
            if so_far.cursor is None or so_far.cursor != claim.listing.cursor:
                raise
            # Cursors may expire while a job waits. Every task is counted once, so starting over is safe.
            _log.warning("The recorded position is no longer accepted (%s); listing from the start", error)
            anew = replace(so_far, cursor=None, rejected=0, rejections=())
            return self._api.list_files(job, None, wait=wait), anew

    def _with_rejected(self, so_far: ListingState, rejected: tuple[str, ...]) -> ListingState:
        if not rejected:
            return so_far
        self._metrics.add("RecordsRejected", len(rejected))
        for reason in rejected[:_REJECTIONS_LOGGED_PER_PAGE]:
            _log.warning("Rejected a record of the listing: page %d, %s", so_far.pages + 1, reason)
        kept = (f"page {so_far.pages + 1}, {reason}"[:_REJECTION_CHARACTERS] for reason in rejected)
        return replace(
            so_far,
            rejected=so_far.rejected + len(rejected),
            rejections=(*so_far.rejections, *kept)[:_REJECTIONS_KEPT],
        )

    def _dispatch(self, claim: JobClaim, page: Page, number: int, priority: Priority | None) -> int:
        """Count and send the page's tasks; returns how many were new."""
        records = {task_id_for(claim.export_job_id, record.file_id): record for record in page.records}
        recorded = self._ledger.record_tasks(
            claim, {task_id: record.file_id for task_id, record in records.items()}, number
        )
        try:
            self._dispatcher.send(
                claim.export_job_id,
                (records[task_id] for task_id in (*recorded.new, *recorded.again)),
                correlation_id=claim.correlation_id,
                priority=priority,
                run=claim.run,
            )
        except MessagesRefused as refusal:
            for message, text in refusal.refused:
                # It reaches no worker and no dead-letter queue: the ledger alone can say what became of it.
                task = DownloadTask.model_validate_json(message.body)
                unit = WorkUnit(export_job_id=task.export_job_id, task_id=task.task_id, file_id=task.file_id)
                self._ledger.park(unit, ParkReason.MALFORMED_MESSAGE, f"SQS refuses its message: {text}")
        return len(recorded.new)


def _allowance(claim: JobClaim) -> int:
    """Barren pages in a row that may be: a listing that starts over shows every page it had shown."""
    return MAX_BARREN_PAGES + max(0, claim.listing.pages - claim.listing.barren)
