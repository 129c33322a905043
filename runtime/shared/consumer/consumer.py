"""The consumer: polls queues into slots, runs the handler there, and leaves nothing in hand when it stops.

Promises
- It receives only what can start at once: every poll has its slots reserved beforehand.
- A message is deleted only after its outcome is durable; one message waits for no other.
- A receive count counts crashes only: whatever ends in an outcome goes on as a fresh message.
- Work is cancelled as soon as its message is lost, about to reach SQS's 12 hours, or the process is to stop.
- `stop()` ends within its time: what runs is cancelled and handed over with its progress, a long poll is
  abandoned (a message it still brings is handed over at once), deletes are flushed.
- What a crash interrupts becomes visible again by its visibility timeout. Handlers must be idempotent.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from .backoff import full_jitter
from .cancellation import LOST, Cancellation, Cancelled, LeaseLost
from .deletes import DeleteBuffer
from .delivery import Delivery, Handler, ParkedHook, RetryHook, UnitOfWork
from .heartbeat import Heartbeat
from .held import Held
from .outcomes import CRASH_LOOP, Crashed, Outcome, Park, Retry, Yield
from .queues import SourceQueue, read_envelope
from .settling import Settler
from .slots import Admission, SlotPool
from .sqs_limits import MAX_BATCH

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# How long the poll loop may sit still between two signs of life.
_PATIENCE_S = 1.0
_POLL_ERROR_MAX_S = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerOptions:
    """Durations in seconds; the services take them from their settings."""

    service: str
    slots: int
    poll_wait_s: float = 20
    visibility_s: float = 300
    heartbeat_interval_s: float = 60
    handover_after_s: float = 39_600
    max_receive_count: int = 5
    """Receives that may end in a crash; the queue's redrive policy must allow a few more, or SQS would move
    the message without a reason before it can be parked with one.
    """
    retry_base_s: float = 10
    retry_max_s: float = 900
    give_up_after_s: float = 259_200
    """How long transient failures may go on without progress."""
    delete_delay_s: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """How long ago each vital thing last happened, in seconds."""

    poll_s: float
    heartbeat_s: float
    in_hand: int
    slots: int
    least_stalled_s: float
    """Since the slot that moved last has moved; 0 while more may be taken: new work can still start."""
    paused: tuple[str, ...] = ()
    """Why nothing is polled at the moment."""


class Consumer:
    """Start it, then stop it; a consumer runs once.

    `polling` is a client that allows for the long poll (its read time-out exceeds the wait) and does not
    retry by itself; `sqs` serves everything else.
    """

    def __init__(
        self,
        queues: Sequence[SourceQueue],
        handler: Handler,
        options: ConsumerOptions,
        *,
        sqs: "SQSClient",
        polling: "SQSClient",
        on_retry: RetryHook = lambda _delivery, _retry, run: run,
        on_parked: ParkedHook = lambda _delivery, _reason, _error: None,
        on_busy: Callable[[bool], None] = lambda _busy: None,
        on_settled: Callable[[Outcome | Crashed], None] = lambda _outcome: None,
        unit_of_work: UnitOfWork = lambda _delivery: nullcontext(),
        admission: Admission | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queues = list(queues)
        self._handler = handler
        self._options = options
        self._sqs = sqs
        self._polling = polling
        self._on_busy = on_busy
        self._unit_of_work = unit_of_work
        self._clock = clock
        # SQS counts in whole seconds; what we believe must never be longer than what it grants.
        self._visibility_s = int(options.visibility_s)
        self._pool = SlotPool(options.slots, {source.url: source.weight for source in queues}, admission)
        self._heartbeat = Heartbeat(
            sqs,
            visibility_s=self._visibility_s,
            interval_s=options.heartbeat_interval_s,
            handover_after_s=options.handover_after_s,
            clock=clock,
        )
        self._deletes = DeleteBuffer(sqs, delay_s=options.delete_delay_s, clock=clock)
        self._settler = Settler(
            sqs,
            self._heartbeat,
            self._deletes,
            service=options.service,
            max_receive_count=options.max_receive_count,
            retry_base_s=options.retry_base_s,
            retry_max_s=options.retry_max_s,
            give_up_after_s=options.give_up_after_s,
            on_retry=on_retry,
            on_parked=on_parked,
            on_settled=on_settled,
        )
        self._stopping = threading.Event()
        self._paused: set[str] = set()
        self._changed = threading.Condition()
        self._in_hand: set[Held] = set()
        self._inbox: queue.SimpleQueue[Held] = queue.SimpleQueue()
        self._turned_at = {source.url: clock() for source in queues}

    def start(self) -> None:
        self._heartbeat.start()
        self._deletes.start()
        for number in range(self._options.slots):
            threading.Thread(target=self._run_slot, name=f"slot-{number}", daemon=True).start()
        for source in self._queues:
            threading.Thread(
                target=self._poll, args=(source,), name=f"poll-{source.name}", daemon=True
            ).start()

    def pause(self, reason: str) -> None:
        """Stop polling until every reason given has been resumed; work in hand goes on."""
        with self._changed:
            self._paused.add(reason)

    def resume(self, reason: str) -> None:
        with self._changed:
            self._paused.discard(reason)
            self._changed.notify_all()

    def ages(self) -> Ages:
        now = self._clock()
        with self._changed:
            in_hand = list(self._in_hand)
            paused = tuple(sorted(self._paused))
        full = bool(in_hand) and self._pool.full
        return Ages(
            poll_s=now - min(self._turned_at.values()),
            heartbeat_s=now - self._heartbeat.turned_at,
            in_hand=len(in_hand),
            slots=self._options.slots,
            least_stalled_s=now - max(held.delivery.progressed_at for held in in_hand) if full else 0.0,
            paused=paused,
        )

    def let_go(self, which: Callable[[Delivery], bool]) -> None:
        """Hand over what `which` says yes to; the rest goes on."""
        with self._changed:
            in_hand = list(self._in_hand)
        for held in in_hand:
            if which(held.delivery):
                held.delivery.cancellation.set("leaving")

    def stop(self, timeout_s: float) -> bool:
        """Cancel what runs, wait for it at most `timeout_s`, hand over the rest, flush deletes.

        True when everything in hand was settled and every delete confirmed.
        """
        deadline = self._clock() + timeout_s
        self._stopping.set()
        self._pool.close()
        with self._changed:
            self._changed.notify_all()
            in_hand = list(self._in_hand)
        for held in in_hand:
            held.delivery.cancellation.set("stopping")
        with self._changed:
            self._changed.wait_for(lambda: not self._in_hand, max(0.0, deadline - self._clock()))
            stuck = list(self._in_hand)
        for held in stuck:
            _log.error(
                "A handler did not stop in time; its message is handed over without it",
                extra={"message_id": held.delivery.message_id},
            )
            self._settler.settle(held, Yield("stopping"))
        left = self._deletes.flush(max(2.0, deadline - self._clock()))
        self._heartbeat.stop()
        self._deletes.stop()
        return not stuck and not left

    def _poll(self, source: SourceQueue) -> None:
        limit, failures = MAX_BATCH, 0
        while not self._stopping.is_set():
            self._turned_at[source.url] = self._clock()
            if not self._may_poll():
                continue
            reserved = self._pool.reserve(source.url, limit, _PATIENCE_S)
            if not reserved:
                continue
            received = 0
            try:
                received = self._receive(source, reserved)
                failures = 0
            except (ClientError, BotoCoreError) as error:
                failures += 1
                _log.error("Polling %s failed: %s", source.name, error)
            except Exception:  # noqa: BLE001  this thread must outlive whatever one turn met
                failures += 1
                _log.exception("Polling %s failed", source.name)
            finally:
                self._pool.refund(source.url, reserved - received)
            if failures:
                self._stopping.wait(full_jitter(failures, base_s=0.5, max_s=_POLL_ERROR_MAX_S))
            # Beside other queues, an empty one may only hold a single slot back while it looks for work.
            limit = MAX_BATCH if received or len(self._queues) == 1 else 1

    def _may_poll(self) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._stopping.is_set() or not self._paused, _PATIENCE_S)

    def _receive(self, source: SourceQueue, limit: int) -> int:
        """Poll once and start what came; returns how many slots are now in use by it."""
        asked_at = self._clock()
        answer = self._polling.receive_message(
            QueueUrl=source.url,
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=int(self._options.poll_wait_s),
            VisibilityTimeout=self._visibility_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        # An answer later than the wait explains means that this process, or the network, stood still in
        # between.
        now = self._clock()
        received_at = now - max(0.0, now - asked_at - self._options.poll_wait_s)
        for message in messages:
            self._start(source, message, received_at)
        if not messages and self._options.poll_wait_s < 1:
            self._stopping.wait(max(0.02, self._options.poll_wait_s))
        return len(messages)

    def _start(self, source: SourceQueue, message: Any, received_at: float) -> None:
        held = Held(
            source,
            message,
            received_at=received_at,
            visibility_s=self._visibility_s,
            clock=self._clock,
        )
        envelope = read_envelope(message, datetime.now(UTC))
        held.delivery = Delivery(
            body=message["Body"],
            message_id=message["MessageId"],
            receive_count=envelope.receive_count,
            group_id=envelope.group_id,
            first_seen=envelope.first_seen,
            sent_at=envelope.sent_at,
            handovers=envelope.handovers,
            lineage=envelope.lineage,
            progress=envelope.progress,
            failures=envelope.failures,
            cancellation=Cancellation(held.expired),
            clock=self._clock,
            progressed_at=self._clock(),
            queue_url=held.queue.url,
            trace=envelope.trace,
        )
        with self._changed:
            self._in_hand.add(held)
            # Inside the lock, so that two changes cannot be reported in the wrong order.
            if len(self._in_hand) == 1:
                self._on_busy(True)
            stopping = self._stopping.is_set()
        if stopping:
            held.delivery.cancellation.set("stopping")
        self._heartbeat.track(held)
        self._inbox.put(held)

    def _run_slot(self) -> None:
        while True:
            held = self._inbox.get()
            try:
                self._work(held)
            except Exception:  # noqa: BLE001  a slot must outlive its messages; this one comes back by itself
                _log.exception("A message could not be settled")
            finally:
                with self._changed:
                    self._in_hand.discard(held)
                    if not self._in_hand:
                        self._on_busy(False)
                    self._changed.notify_all()
                self._pool.release()

    def _work(self, held: Held) -> None:
        delivery = held.delivery
        with self._unit_of_work(delivery):
            if delivery.cancellation.is_set():
                # Brought by a poll that the stop had already abandoned; nothing has been done with it.
                self._settler.settle(held, Yield(str(delivery.cancellation.cause)))
            elif delivery.receive_count > self._options.max_receive_count:
                # Every receive allowed ended with its process: this one would, too.
                text = f"{delivery.receive_count - 1} receives ended with the process that worked on it"
                self._settler.settle(held, Park(CRASH_LOOP, text))
            else:
                self._settler.settle(held, self._outcome(delivery))

    def _outcome(self, delivery: Delivery) -> Outcome | Crashed:
        cancellation = delivery.cancellation
        outcome: Outcome | Crashed
        try:
            outcome = self._handler(delivery)
        except Cancelled as cancelled:
            return Yield(cancelled.cause)
        except LeaseLost:
            cancellation.set("lease-lost")
            return Yield("lease-lost")
        except Exception as error:  # noqa: BLE001  whatever a handler meets, its message has to be settled
            if not cancellation.is_set():
                _log.exception("The handler failed unexpectedly")
            outcome = Crashed(f"{type(error).__name__}: {error}")
        # Closing sockets under work makes it fail; that failure is the cancellation's, not the message's.
        if isinstance(outcome, (Retry, Crashed)) and cancellation.is_set() and cancellation.cause not in LOST:
            return Yield(str(cancellation.cause))
        return outcome
