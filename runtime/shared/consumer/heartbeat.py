"""Keeps what is in hand invisible to others, in batches, and finds out when it no longer is.

One thread extends visibilities; renewals of the services' own leases run beside it, so that a slow lease
store cannot make SQS receipts expire. `tick()` is one turn and takes its time from the injected clock.
"""

import logging
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .backoff import visibility_for
from .cancellation import LeaseLost
from .held import Held
from .sqs_limits import MAX_BATCH

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

RENEWAL_THREADS = 4
# Whoever is within this share of being due goes along with a batch that has to be sent anyway.
_GOES_ALONG = 0.75

_log = logging.getLogger(__name__)


class Heartbeat:
    """Tracks held messages from receipt to settlement."""

    def __init__(
        self,
        sqs: "SQSClient",
        *,
        visibility_s: float,
        interval_s: float,
        handover_after_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._sqs = sqs
        self._visibility_s = visibility_s
        self._interval_s = interval_s
        self._handover_after_s = handover_after_s
        self._clock = clock
        self._changed = threading.Condition()
        self._tracked: set[Held] = set()
        self._in_flight: set[Held] = set()
        self._renewing: set[Held] = set()
        self._renewals: queue.SimpleQueue[Held] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self.turned_at = clock()

    def start(self) -> None:
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()
        for number in range(RENEWAL_THREADS):
            threading.Thread(target=self._run_renewals, name=f"renewal-{number}", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def track(self, held: Held) -> None:
        with self._changed:
            self._tracked.add(held)

    def untrack(self, held: Held) -> None:
        """Stop extending, and wait for a call in flight: a late extension would undo a back-off."""
        with self._changed:
            self._tracked.discard(held)
            self._changed.wait_for(lambda: held not in self._in_flight and held not in self._renewing)

    def tick(self) -> None:
        """Cancel what is lost or too old, then extend what is due."""
        now = self._clock()
        self.turned_at = now
        with self._changed:
            tracked = list(self._tracked)
        # Looking is enough to find an expired receipt: the cancellation asks the clock.
        alive = [held for held in tracked if not held.delivery.cancellation.lost]
        for held in alive:
            if held.held_s() > self._handover_after_s:
                held.delivery.cancellation.set("time-cap")
        if not any(now - held.extended_at >= self._interval_s for held in alive):
            return
        by_queue: dict[str, list[Held]] = defaultdict(list)
        for held in sorted(alive, key=lambda held: held.extended_at):
            if now - held.extended_at >= self._interval_s * _GOES_ALONG:
                by_queue[held.queue.url].append(held)
        for url, due in by_queue.items():
            for start in range(0, len(due), MAX_BATCH):
                self._extend(url, due[start : start + MAX_BATCH])

    def _extend(self, url: str, due: Sequence[Held]) -> None:
        with self._changed:
            batch = [held for held in due if held in self._tracked]
            self._in_flight.update(batch)
            for held in batch:
                if held.delivery.renewals and held not in self._renewing:
                    self._renewing.add(held)
                    self._renewals.put(held)
        try:
            self._send(url, batch)
        except (ClientError, BotoCoreError) as error:
            _log.warning("Extending the visibility of %d messages failed: %s", len(batch), error)
        finally:
            with self._changed:
                self._in_flight.difference_update(batch)
                self._changed.notify_all()

    def _send(self, url: str, batch: Sequence[Held]) -> None:
        entries = []
        for number, held in enumerate(batch):
            seconds = visibility_for(self._visibility_s, held.held_s())
            # So close to the 12-hour cap an extension would shorten the visibility; let it run out.
            if seconds > self._interval_s:
                entries.append(
                    {"Id": str(number), "ReceiptHandle": held.receipt, "VisibilityTimeout": seconds}
                )
        if not entries:
            return
        sent_at = self._clock()
        self.turned_at = sent_at
        answer = self._sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]
        for success in answer.get("Successful", []):
            batch[int(success["Id"])].extended_at = sent_at
        for failure in answer.get("Failed", []):
            held = batch[int(failure["Id"])]
            if failure.get("SenderFault"):
                _log.warning(
                    "The receipt of a message is lost (%s); its work is cancelled",
                    failure.get("Code"),
                    extra={"message_id": held.delivery.message_id},
                )
                held.delivery.cancellation.set("receipt-lost")
            else:
                _log.warning("Extending a visibility failed: %s", failure.get("Code"))

    def _run(self) -> None:
        turn_s = min(self._interval_s / 4, 1.0)
        while not self._stopped.wait(turn_s):
            try:
                self.tick()
            except Exception:  # noqa: BLE001  this thread must outlive whatever one turn met
                _log.exception("A heartbeat failed")

    def _run_renewals(self) -> None:
        while True:
            held = self._renewals.get()
            try:
                self._renew(held)
            finally:
                with self._changed:
                    self._renewing.discard(held)
                    self._changed.notify_all()

    @staticmethod
    def _renew(held: Held) -> None:
        for renew in list(held.delivery.renewals):
            if held.delivery.cancellation.lost:
                return
            try:
                renew()
            except LeaseLost as error:
                _log.warning("A lease is lost: %s", error, extra={"message_id": held.delivery.message_id})
                held.delivery.cancellation.set("lease-lost")
            except Exception:  # noqa: BLE001  the next heartbeat tries again; the lease has its own expiry
                _log.exception("Renewing a lease failed")
