"""Deletes messages in batches, soon, and for certain before the process ends.

A delete that fails is repeated; should it never succeed, the message is delivered again and its handler finds
the work done.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .backoff import full_jitter
from .sqs_limits import MAX_BATCH

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_ATTEMPTS = 6

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Pending:
    url: str
    receipt: str
    message_id: str
    due_at: float
    attempts: int = 0


class DeleteBuffer:
    """A delete goes out when ten are waiting for its queue or `delay_s` has passed."""

    def __init__(
        self, sqs: "SQSClient", *, delay_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sqs = sqs
        self._delay_s = delay_s
        self._clock = clock
        self._changed = threading.Condition()
        self._pending: list[_Pending] = []
        self._sending = 0
        self._stopped = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="deletes", daemon=True).start()

    def add(self, url: str, receipt: str, message_id: str) -> None:
        with self._changed:
            self._pending.append(
                _Pending(
                    url=url, receipt=receipt, message_id=message_id, due_at=self._clock() + self._delay_s
                )
            )
            self._changed.notify_all()
            stopped = self._stopped
        if stopped:
            # Settled after the last flush: nobody else is going to send it.
            self.send_due(everything=True)

    def flush(self, timeout_s: float) -> int:
        """Send everything now, repeating what fails until the time is up.

        Returns how many are left undeleted.
        """
        deadline = self._clock() + timeout_s
        while True:
            self.send_due(everything=True)
            with self._changed:
                left = len(self._pending) + self._sending
                if left == 0 or self._clock() >= deadline:
                    return left
                # Failed ones wait out their back-off here instead of hammering a queue that throttles.
                self._changed.wait(0.1)

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def send_due(self, *, everything: bool = False) -> None:
        """Send full batches and overdue deletes (all of them on request)."""
        now = self._clock()
        with self._changed:
            chosen: list[_Pending] = []
            ordered = sorted(self._pending, key=lambda pending: pending.url)
            for _, group in groupby(ordered, key=lambda pending: pending.url):
                waiting = [
                    pending
                    for pending in group
                    if everything or pending.attempts == 0 or pending.due_at <= now
                ]
                if (
                    everything
                    or len(waiting) >= MAX_BATCH
                    or any(pending.due_at <= now for pending in waiting)
                ):
                    chosen += waiting
            gone = set(map(id, chosen))
            self._pending = [pending for pending in self._pending if id(pending) not in gone]
            self._sending += len(chosen)
        for _, group in groupby(chosen, key=lambda pending: pending.url):
            of_queue = list(group)
            for start in range(0, len(of_queue), MAX_BATCH):
                batch = of_queue[start : start + MAX_BATCH]
                failed = self._send(batch)
                with self._changed:
                    self._sending -= len(batch)
                    self._pending += self._again(failed)
                    self._changed.notify_all()

    def _send(self, batch: list[_Pending]) -> list[_Pending]:
        entries = [{"Id": str(number), "ReceiptHandle": item.receipt} for number, item in enumerate(batch)]
        try:
            answer = self._sqs.delete_message_batch(QueueUrl=batch[0].url, Entries=entries)  # type: ignore[arg-type]
        except (ClientError, BotoCoreError) as error:
            _log.warning("Deleting %d messages failed: %s", len(batch), error)
            return batch
        failed = []
        for failure in answer.get("Failed", []):
            item = batch[int(failure["Id"])]
            if failure.get("SenderFault"):
                # The receipt is no longer good, so the message is back in the queue or gone already.
                _log.warning(
                    "A delete was refused (%s); a redelivery finds the work done",
                    failure.get("Code"),
                    extra={"message_id": item.message_id},
                )
            else:
                failed.append(item)
        return failed

    def _again(self, failed: list[_Pending]) -> list[_Pending]:
        again = []
        for item in failed:
            item.attempts += 1
            if item.attempts >= MAX_ATTEMPTS:
                _log.error(
                    "A delete failed %d times; a redelivery finds the work done",
                    item.attempts,
                    extra={"message_id": item.message_id},
                )
                continue
            item.due_at = self._clock() + full_jitter(item.attempts, base_s=0.2, max_s=5)
            again.append(item)
        return again

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                self._changed.wait(self._delay_s / 2 if self._pending else None)
            try:
                self.send_due()
            except Exception:  # noqa: BLE001  this thread must outlive whatever one turn met
                _log.exception("Sending deletes failed")
