"""What becomes of a message after its handler: the one place where outcomes turn into SQS calls.

Order is the promise here. The heartbeat is stopped, and its call in flight awaited, before anything else; a
copy is durable before the source is deleted; work that has lost its right to the message touches nothing.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from runtime.shared.consumer import copies
from runtime.shared.consumer.backoff import full_jitter, visibility_for
from runtime.shared.consumer.cancellation import LeaseLost
from runtime.shared.consumer.deletes import DeleteBuffer
from runtime.shared.consumer.delivery import ParkedHook
from runtime.shared.consumer.heartbeat import Heartbeat
from runtime.shared.consumer.held import Held
from runtime.shared.consumer.outcomes import Done, Outcome, Park, Retry, Yield

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

RETRIES_EXHAUSTED = "retries-exhausted"

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
        on_parked: ParkedHook,
        on_settled: Callable[[Outcome], None],
    ) -> None:
        self._sqs = sqs
        self._heartbeat = heartbeat
        self._deletes = deletes
        self._service = service
        self._max_receive_count = max_receive_count
        self._retry_base_s = retry_base_s
        self._retry_max_s = retry_max_s
        self._on_parked = on_parked
        self._on_settled = on_settled

    def settle(self, held: Held, outcome: Outcome) -> None:
        """Once per message; a second caller finds it taken and does nothing."""
        if not held.begin_settling():
            return
        delivery = held.delivery
        if isinstance(outcome, Retry) and delivery.receive_count >= self._max_receive_count:
            outcome = Park(RETRIES_EXHAUSTED, f"{outcome.reason}: {outcome.error}")
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

    def _apply(self, held: Held, outcome: Outcome) -> None:
        delivery = held.delivery
        match outcome:
            case Done():
                self._delete(held)
            case Retry(reason, error, delay_s):
                delay = delay_s
                if delay is None:
                    delay = full_jitter(
                        delivery.receive_count, base_s=self._retry_base_s, max_s=self._retry_max_s
                    )
                _log.warning("Retry %d in %.0f s: %s: %s", delivery.receive_count, delay, reason, error)
                self._delay(held, delay)
            case Park(reason, error):
                _log.error("Parked as %s: %s", reason, error)
                self._park(held, reason, error)
            case Yield(reason, progress, delay_s):
                _log.info("Handed over (%s) after %.1f s", reason, held.held_s())
                carried = progress or delivery.saved_progress or delivery.progress
                copies.send_fresh(self._sqs, held, progress=carried, delay_s=delay_s)
                self._delete(held)

    def _park(self, held: Held, reason: str, error: str) -> None:
        try:
            self._on_parked(held.delivery, reason, error)
        except LeaseLost as taken:
            _require_kept(held)
            # Somebody is at work on it. A fresh message outlives this one, and finds out what came of it.
            self._apply(held, Yield(f"not parked: {taken}", delay_s=self._retry_base_s))
            return
        except (ClientError, BotoCoreError):
            raise
        except Exception:  # noqa: BLE001  parking on the queue without the service's own record would lose it
            _log.exception("The service could not record the parking; the message will come back")
            self._delay(held, self._retry_base_s)
            return
        # The hook may have taken longer than the visibility lasts.
        _require_kept(held)
        copies.send_to_dlq(self._sqs, held, reason=reason, error=error, service=self._service)
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
