"""An SQS consumer for long work: slots, heartbeats, hand-over, parking and a graceful stop.

It knows nothing of exports. A service gives it queues and a handler; the handler gets a `Delivery` on a
slot's thread and returns one of four outcomes. What the consumer promises is written in `consumer.py`.
"""

from runtime.shared.consumer.cancellation import Cancellation, Cancelled, LeaseLost
from runtime.shared.consumer.consumer import Consumer, ConsumerOptions
from runtime.shared.consumer.delivery import Delivery, Handler, ParkedHook
from runtime.shared.consumer.outcomes import Done, Outcome, Park, Retry, Yield
from runtime.shared.consumer.queues import SourceQueue
from runtime.shared.consumer.slots import Admission

__all__ = [
    "Admission",
    "Cancellation",
    "Cancelled",
    "Consumer",
    "ConsumerOptions",
    "Delivery",
    "Done",
    "Handler",
    "LeaseLost",
    "Outcome",
    "Park",
    "ParkedHook",
    "Retry",
    "SourceQueue",
    "Yield",
]
