"""SQS's rules on receipts that moto lacks; those on messages are in `local.aws.sqs_rules`.

- The 12-hour cap counts from the receipt; moto counts from the sending. `cap_s` shortens it, so that a
  campaign of minutes meets it.
- A receipt whose time is over, or whose message was received again, extends nothing; deleting with it
  succeeds, and when the message was received again it deletes nothing. moto takes any receipt it ever gave.
- A message can be shown to two consumers. `Receipt.shown_twice` marks the first of them: its extensions are
  accepted, as SQS would, but must not hide the copy.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from local.faults.proxy import answers
from local.faults.proxy.exchange import Response

TWELVE_HOURS_S = 43_200
# moto refuses what reaches 43,200 s after the sending; what is asked for beyond this is cut to it.
_FORWARD_AT_MOST_S = 40_000


class Ruling(Enum):
    """The action on a call that carries a receipt."""

    FORWARD = auto()
    PRETEND = auto()  # answer success, change nothing
    STALE = auto()
    NOT_IN_FLIGHT = auto()
    BEYOND_CAP = auto()


@dataclass
class Receipt:
    message_id: str
    received_at: float
    invisible_until: float
    shown_twice: bool = False


class ReceiptRules:
    """Keeps account of the receipts of every queue. Called from many threads."""

    def __init__(self, cap_s: float = TWELVE_HOURS_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.cap_s = cap_s
        self._clock = clock
        self._receipts: dict[str, Receipt] = {}
        self._newest: dict[str, str] = {}  # message id → its last receipt
        self._lock = threading.Lock()

    def received(self, message_id: str, receipt: str, visibility_s: float) -> None:
        """A message was handed out. It stays hidden for no longer than the cap."""
        now = self._clock()
        with self._lock:
            until = now + min(visibility_s, self.cap_s)
            self._receipts[receipt] = Receipt(message_id, now, until)
            self._newest[message_id] = receipt

    def expire(self, receipt: str) -> None:
        """The receipt's time is over, whatever was promised."""
        with self._lock:
            self._receipts[receipt].invisible_until = self._clock()

    def show_twice(self, receipt: str) -> None:
        """The message will be shown to somebody else while this receipt stays good."""
        with self._lock:
            self._receipts[receipt].shown_twice = True

    def judge_visibility(self, receipt: str, visibility_s: float) -> Ruling:
        """Whether a change of visibility is the server's to make; a granted one is noted."""
        now = self._clock()
        with self._lock:
            known = self._receipts.get(receipt)
            if known is None:
                return Ruling.FORWARD
            if known.shown_twice:
                return Ruling.PRETEND
            if self._newest.get(known.message_id) != receipt:
                return Ruling.STALE
            if now >= known.invisible_until:
                return Ruling.NOT_IN_FLIGHT
            if now + visibility_s > known.received_at + self.cap_s:
                return Ruling.BEYOND_CAP
            known.invisible_until = now + visibility_s
            return Ruling.FORWARD

    def judge_delete(self, receipt: str) -> Ruling:
        with self._lock:
            known = self._receipts.get(receipt)
            newest = known is None or self._newest.get(known.message_id) == receipt
            return Ruling.FORWARD if newest else Ruling.PRETEND


def forwarded_visibility(visibility_s: int) -> int:
    """The request to put to moto."""
    return min(visibility_s, _FORWARD_AT_MOST_S)


def error(ruling: Ruling, receipt: str, visibility_s: int) -> tuple[str, str]:
    """Code and message of a refused change of visibility."""
    match ruling:
        case Ruling.BEYOND_CAP:
            return "InvalidParameterValue", (
                f"Value {visibility_s} for parameter VisibilityTimeout is invalid. Reason: Total "
                f"VisibilityTimeout for the message is beyond the limit [{TWELVE_HOURS_S} seconds]."
            )
        case Ruling.NOT_IN_FLIGHT:
            return "MessageNotInflight", "The specified message is not in flight."
    return "InvalidParameterValue", (
        f"Value {receipt} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not "
        "available for visibility timeout change."
    )


def refusal(ruling: Ruling, receipt: str, visibility_s: int) -> Response:
    return answers.json_error("sqs", *error(ruling, receipt, visibility_s))
