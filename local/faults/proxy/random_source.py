"""Which AWS calls break, and how: a function of the seed, the operation and how often it was called."""

import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.faults.proxy.operations import Operation

_PARTIAL = {
    "sqs.SendMessageBatch",
    "sqs.DeleteMessageBatch",
    "sqs.ChangeMessageVisibilityBatch",
    "dynamodb.BatchGetItem",
    "events.PutEvents",
}
_UPLOADS = {"s3.PutObject", "s3.UploadPart"}
_RECEIVE = {"sqs.ReceiveMessage"}
_SERVICES = ("sqs", "s3", "dynamodb", "events", "secretsmanager")

# Every kind of fault: what it befalls (None: any operation), and what it is in a sentence.
KINDS: dict[str, tuple[set[str] | None, str]] = {
    "throttled": (None, "the service's own throttling error"),
    "server-error": (None, "the service's own 500"),
    "server-error-after": (None, "a 500 although the call was applied"),
    "timeout-before": (None, "no answer, then a closed connection; not applied"),
    "timeout-after": (None, "no answer, then a closed connection; applied"),
    "reset-before": (None, "a connection reset; not applied"),
    "reset-after": (None, "a connection reset; applied"),
    "partial": (_PARTIAL, "a 200 answer in which some entries failed"),
    "conflict": ({"dynamodb.TransactWriteItems"}, "a transaction cancelled by another one"),
    "duplicate": (_RECEIVE, "a message shown to two consumers"),
    "receipt-expired": (_RECEIVE, "a receipt that ends before its time"),
    "shuffled": (_RECEIVE, "messages in another order"),
    "withheld": (_RECEIVE, "a message in flight to nobody until its visibility ends"),
    "corrupted": (_UPLOADS, "a byte that changes on the way to S3"),
    "error-in-200": ({"s3.CompleteMultipartUpload"}, "an error in the body of a 200; not applied"),
}
RECEIVE_ONLY = {"duplicate", "receipt-expired", "shuffled", "withheld"}
NOT_APPLIED = {"throttled", "server-error", "timeout-before", "reset-before", "conflict", "error-in-200"}


@dataclass
class Fault:
    """One fault; `chance` gives the further choices it needs (which entries, which byte).

    `missed` says afterwards that there was nothing for it to befall: a receive that brought no message.
    """

    kind: str
    chance: random.Random
    missed: bool = False


@dataclass(kw_only=True)
class RandomSource:
    """Decides for each call; called from many threads.

    rates: share of the calls that a fault befalls, by kind, tried in the order of `KINDS`.
    `load` multiplies the rates of one service for a while: a storm; between `down` and `up` every call of a
    service meets one fault. `count` says what has happened so far.
    """

    seed: int
    rates: Mapping[str, float]
    count: Counter[str] = field(default_factory=Counter)
    _load: dict[str, float] = field(default_factory=dict)
    _down: dict[str, str] = field(default_factory=dict)
    _calls: Counter[str] = field(default_factory=Counter)
    _calm: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        unknown = set(self.rates) - set(KINDS)
        if unknown:
            raise ValueError(f"no such faults: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")

    def decide(self, operation: Operation) -> Fault | None:
        """The fault that befalls this call, if any."""
        if operation.service not in _SERVICES:
            return None
        name = str(operation)
        with self._lock:
            occurrence = self._calls[name]
            self._calls[name] += 1
            if self._calm:
                return None
            if kind := self._down.get(operation.service):
                return Fault(kind, random.Random(f"{self.seed}/{name}/{occurrence}"))
            return self._throw(name, occurrence, self._load.get(operation.service, 1.0))

    def happened(self, operation: Operation, fault: Fault) -> None:
        """Count a fault as `service.kind`, unless it missed."""
        if not fault.missed:
            with self._lock:
                self.count[f"{operation.service}.{fault.kind}"] += 1

    def load(self, service: str, factor: float) -> None:
        """Multiply the rates of a service from now on; 1 ends a storm."""
        with self._lock:
            self._load[service] = factor

    def down(self, service: str, kind: str) -> None:
        """Every call of a service meets this fault from now on."""
        with self._lock:
            self._down[service] = kind

    def up(self, service: str) -> None:
        with self._lock:
            self._down.pop(service, None)

    def calm(self) -> None:
        """No more faults."""
        with self._lock:
            self._calm = True

    def _throw(self, name: str, occurrence: int, load: float) -> Fault | None:
        chance = random.Random(f"{self.seed}/{name}/{occurrence}")
        for kind, (befalls, _) in KINDS.items():
            rolled = chance.random()
            if (befalls is None or name in befalls) and rolled < self.rates.get(kind, 0.0) * load:
                return Fault(kind, chance)
        return None
