"""An SQS consumer for long work: slots, heartbeats, hand-over, parking and a graceful stop.

It knows nothing of exports. A service gives it queues and a handler; the handler gets a `Delivery` on a
slot's thread and returns an outcome. What the consumer promises is written in `consumer.py`.
"""

from .cancellation import Cancellation, Cancelled, LeaseLost
from .consumer import Consumer, ConsumerOptions
from .delivery import Delivery, Handler, ParkedHook, RetryHook
from .failures import FailureRun
from .outcomes import Crashed, Done, Outcome, Park, Retry, Yield
from .queues import SourceQueue
from .slots import Admission

__all__ = [
    "Admission",
    "Cancellation",
    "Cancelled",
    "Consumer",
    "ConsumerOptions",
    "Crashed",
    "Delivery",
    "Done",
    "FailureRun",
    "Handler",
    "LeaseLost",
    "Outcome",
    "Park",
    "ParkedHook",
    "Retry",
    "RetryHook",
    "SourceQueue",
    "Yield",
]
