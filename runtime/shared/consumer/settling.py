"""The settling of a message after its handler: the one place where outcomes turn into SQS calls.

Order is the promise here. The heartbeat is stopped, and its call in flight awaited, before anything else; a
copy is durable before the source is deleted; work that has lost its right to the message touches nothing.
"""

import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from . import copies
from .backoff import full_jitter, visibility_for
from .cancellation import LeaseLost
from .deletes import DeleteBuffer
from .delivery import ParkedHook, RetryHook
from .failures import FailureRun
from .heartbeat import Heartbeat
from .held import Held
from .outcomes import CRASH_LOOP, Crashed, Done, Outcome, Park, Retry, Yield

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_log = logging.getLogger(__name__)


class Settler:
    """Applies outcomes; SQS errors are logged here, because the message then comes back by itself."""

    def __init__(
        self,
        sqs: "SQSClient",
        heartbeat: Heartbeat,
        deletes: DeleteBuffer,
        *,
        service: str,
        max_receive_count: int,
        retry_base_s: float,
        retry_max_s: float,
        give_up_after_s: float,
        on_retry: RetryHook,
        on_parked: ParkedHook,
        on_settled: Callable[[Outcome | Crashed], None],
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sqs = sqs
        self._heartbeat = heartbeat
        self._deletes = deletes
        self._service = service
        self._max_receive_count = max_receive_count
        self._retry_base_s = retry_base_s
        self._retry_max_s = retry_max_s
        self._give_up_after_s = give_up_after_s
        self._on_retry = on_retry
        self._utc_now = utc_now
        self._on_parked = on_parked
        self._on_settled = on_settled

    def settle(self, held: Held, outcome: Outcome | Crashed) -> None:
        """Once per message; a second caller finds it taken and does nothing."""
        if not held.begin_settling():
            return
        try:
            # A finished effect may always be acknowledged: deleting with an old receipt is harmless.
            if not isinstance(outcome, Done):
                _require_kept(held)
            self._apply(held, outcome)
        except LeaseLost as error:
            _log.warning("Abandoned: %s", error)
        except (ClientError, BotoCoreError) as error:
            _log.error("Settling as %s failed, the message will come back: %s", type(outcome).__name__, error)
        else:
            self._on_settled(outcome)
        finally:
            self._heartbeat.untrack(held)

    def _apply(self, held: Held, outcome: Outcome | Crashed) -> None:
        delivery = held.delivery
        match outcome:
            case Done():
                self._delete(held)
            case Retry():
                self._retry(held, outcome)
            case Crashed(error) if delivery.receive_count >= self._max_receive_count:
                self._apply(held, Park(CRASH_LOOP, f"it failed at receive {delivery.receive_count}: {error}"))
            case Crashed(error):
                delay = self._pause(delivery.receive_count)
                _log.error("Receive %d failed, again in %.0f s: %s", delivery.receive_count, delay, error)
                self._delay(held, delay)
            case Park(reason, error):
                _log.error("Parked as %s: %s", reason, error)
                self._park(held, reason, error)
            case Yield(reason, progress, delay_s):
                _log.info("Handed over (%s) after %.1f s", reason, held.held_s())
                carried = progress or delivery.saved_progress or delivery.progress
                failures = None if delivery.has_advanced else delivery.failures
                copies.send_fresh(self._sqs, held, progress=carried, delay_s=delay_s, failures=failures)
                self._delete(held)

    def _retry(self, held: Held, retry: Retry) -> None:
        delivery, now = held.delivery, self._utc_now()
        run = delivery.failed(retry.reason, now)
        try:
            run = self._on_retry(delivery, retry, run)
        except Exception:  # noqa: BLE001  whatever the service's own record met, the message has to go back
            _log.exception("The service could not record a failure; the message's own record is used")
        else:
            age_s = run.age_s(now)
            sooner_s = math.inf if retry.exhausted_after_s is None else retry.exhausted_after_s
            if age_s >= self._give_up_after_s or run.alike_s(now) >= sooner_s:
                told = f"failing for {age_s / 3600:.1f} h, {run.count} times, at first with {run.reason}"
                self._apply(held, Park(retry.exhausted, f"{retry.reason}: {retry.error} ({told})"))
                return
        delay = self._pause(run.count, retry.at_least_s)
        _log.warning(
            "Failure %d since %s, again in %.0f s: %s: %s",
            run.count,
            run.since.isoformat(timespec="seconds"),
            delay,
            retry.reason,
            retry.error,
        )
        self._send_back(held, run, delay)

    def _park(self, held: Held, reason: str, error: str) -> None:
        delivery = held.delivery
        # A message that crashes its process keeps its count until it is parked, or it would start over.
        crashes = delivery.receive_count if reason == CRASH_LOOP else 0
        try:
            self._on_parked(delivery, reason, error)
        except LeaseLost as taken:
            _require_kept(held)
            # Somebody is at work on it. A fresh message outlives this one, and finds out what came of it.
            _log.info("Not parked, but handed over: %s", taken)
            self._send_back(held, delivery.failures, self._retry_base_s, crashes)
            return
        except Exception:  # noqa: BLE001  parking on the queue without the service's own record would lose it
            _log.exception("The service could not record the parking; the message is handed over")
            _require_kept(held)
            run = delivery.failed("parking-not-recorded", self._utc_now())
            self._send_back(held, run, self._pause(run.count), crashes)
            return
        # The hook may have taken longer than the visibility lasts.
        _require_kept(held)
        copies.send_to_dlq(self._sqs, held, reason=reason, error=error, service=self._service)
        self._delete(held)

    def _pause(self, failures: int, at_least_s: float | None = None) -> float:
        return full_jitter(
            failures, base_s=self._retry_base_s, max_s=self._retry_max_s, at_least_s=at_least_s
        )

    def _send_back(self, held: Held, failures: FailureRun | None, delay_s: float, crashes: int = 0) -> None:
        delivery = held.delivery
        copies.send_fresh(
            self._sqs,
            held,
            progress=delivery.saved_progress or delivery.progress,
            delay_s=delay_s,
            failures=failures,
            crashes=crashes,
        )
        self._delete(held)

    def _delete(self, held: Held) -> None:
        self._heartbeat.untrack(held)
        self._deletes.add(held.queue.url, held.receipt, held.delivery.message_id)

    def _delay(self, held: Held, delay_s: float) -> None:
        self._heartbeat.untrack(held)
        self._sqs.change_message_visibility(
            QueueUrl=held.queue.url,
            ReceiptHandle=held.receipt,
            VisibilityTimeout=visibility_for(delay_s, held.held_s()),
        )


def _require_kept(held: Held) -> None:
    """Raises LeaseLost when the message belongs to somebody else now."""
    cancellation = held.delivery.cancellation
    if cancellation.lost:
        raise LeaseLost(f"{cancellation.cause}; whoever holds the message now settles it")
