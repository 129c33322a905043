"""Message move tasks of SQS, which moto lacks: started, listed and cancelled as the API Reference has it.

- the source is the dead-letter queue of some other queue; one task a source is active at a time
- 1 to 500 messages a second; body, attributes and group stay, the message itself is a new one
- what somebody holds at the time stays where it is
- without a destination a message goes back where it came from; one that was sent to the dead-letter queue
  directly came from nowhere, and the task fails
"""

import base64
import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult
from moto.sqs.exceptions import InvalidParameterValue, SQSException
from moto.sqs.models import Queue, SQSBackend
from moto.sqs.responses import SQSResponse

MOST_PER_S = 500
_MOST_LISTED = 10
_HELD_S = 60
_NO_SOURCE = "CouldNotDetermineMessageSource"


class NoSuchResource(SQSException):
    def __init__(self, what: str) -> None:
        text = f"The resource that you specified for the {what} parameter doesn't exist."
        super().__init__("ResourceNotFoundException", text)


class OneActiveTask(SQSException):
    def __init__(self) -> None:
        super().__init__(
            "UnsupportedOperation",
            "There is already a task running. Only one active task is allowed for a source queue arn at a "
            "given time.",
        )


@dataclass(kw_only=True)
class MoveTask:
    """One task; its own thread moves, and alone changes `moved` and `status`."""

    source: Queue
    destination: Queue | None
    rate: int | None
    to_move: int
    task_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_ms: int = field(default_factory=lambda: int(time.time() * 1000))
    moved: int = 0
    status: str = "RUNNING"
    failure: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def handle(self) -> str:
        told = {"taskId": self.task_id, "sourceArn": self.source.queue_arn}
        return base64.b64encode(json.dumps(told).encode()).decode()

    @property
    def active(self) -> bool:
        return self.status in ("RUNNING", "CANCELLING")

    def run(self, backend: SQSBackend) -> None:
        """Move message after message until none is visible."""
        destination = self.destination
        if destination is None:
            self.status, self.failure = "FAILED", _NO_SOURCE
            return
        pause_s = 1 / (self.rate or MOST_PER_S)
        while not self.cancelled.wait(pause_s):
            found = backend.receive_message(self.source.name, 1, 0, _HELD_S, ["All"])
            if not found:
                self.status = "COMPLETED"
                return
            message = found[0]
            backend.send_message(
                destination.name,
                message.body,
                message_attributes=message.message_attributes,
                group_id=message.group_id,
            )
            backend.delete_message(self.source.name, str(message.receipt_handle))
            self.moved += 1
        self.status = "CANCELLED"

    def told(self) -> dict[str, Any]:
        """As ListMessageMoveTasks describes it; a handle is only of use while it runs."""
        return {
            **({"TaskHandle": self.handle} if self.status == "RUNNING" else {}),
            "Status": self.status,
            "SourceArn": self.source.queue_arn,
            **({"DestinationArn": self.destination.queue_arn} if self.destination else {}),
            **({"MaxNumberOfMessagesPerSecond": self.rate} if self.rate else {}),
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            **({"FailureReason": self.failure} if self.failure else {}),
            "StartedTimestamp": self.started_ms,
        }


class MoveTasks:
    """All tasks of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: list[MoveTask] = []

    def start(self, backend: SQSBackend, body: Mapping[str, Any]) -> MoveTask:
        """Raises SQSException."""
        rate = body.get("MaxNumberOfMessagesPerSecond")
        if rate is not None and not 1 <= int(rate) <= MOST_PER_S:
            raise InvalidParameterValue(
                f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. "
                f"Reason: Must be between 1 and {MOST_PER_S}, if provided."
            )
        source = _queue(backend, body.get("SourceArn"), "SourceArn")
        if not any(queue.dead_letter_queue is source for queue in backend.queues.values()):
            raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
        named = body.get("DestinationArn")
        destination = _queue(backend, named, "DestinationArn") if named else None
        if destination is source:
            raise InvalidParameterValue("Source queue arn and destination queue arn cannot be the same.")
        task = MoveTask(
            source=source,
            destination=destination,
            rate=int(rate) if rate else None,
            to_move=source.approximate_number_of_messages,
        )
        with self._lock:
            if any(other.active for other in self._of(source)):
                raise OneActiveTask
            self._tasks.append(task)
        threading.Thread(target=task.run, args=(backend,), name="message-move", daemon=True).start()
        return task

    def listed(self, backend: SQSBackend, body: Mapping[str, Any]) -> list[MoveTask]:
        """The newest first. Raises SQSException."""
        most = int(body.get("MaxResults") or 1)
        if not 1 <= most <= _MOST_LISTED:
            raise InvalidParameterValue(
                f"Value {most} for parameter MaxResults is invalid. "
                f"Reason: Must be between 1 and {_MOST_LISTED}, if provided."
            )
        source = _queue(backend, body.get("SourceArn"), "SourceArn")
        with self._lock:
            return list(self._of(source))[::-1][:most]

    def cancel(self, body: Mapping[str, Any]) -> MoveTask:
        """Raises SQSException."""
        with self._lock:
            for task in self._tasks:
                if task.handle == body.get("TaskHandle"):
                    if task.status != "RUNNING":
                        raise InvalidParameterValue("Only active tasks can be cancelled.")
                    task.status = "CANCELLING"
                    task.cancelled.set()
                    return task
        raise NoSuchResource("TaskHandle")

    def _of(self, source: Queue) -> Iterator[MoveTask]:
        return (task for task in self._tasks if task.source is source)


def _queue(backend: SQSBackend, arn: Any, parameter: str) -> Queue:
    queue = backend.queues.get(str(arn).rpartition(":")[2])
    if queue is None or queue.queue_arn != arn:
        raise NoSuchResource(parameter)
    return queue


def install() -> None:
    """Teach moto the three operations; call once, before the server starts."""
    tasks = MoveTasks()

    def start(self: SQSResponse) -> ActionResult:
        return ActionResult({"TaskHandle": tasks.start(self.sqs_backend, json.loads(self.body)).handle})

    def listed(self: SQSResponse) -> ActionResult:
        found = tasks.listed(self.sqs_backend, json.loads(self.body))
        return ActionResult({"Results": [task.told() for task in found]})

    def cancel(self: SQSResponse) -> ActionResult:
        moved = tasks.cancel(json.loads(self.body)).moved
        return ActionResult({"ApproximateNumberOfMessagesMoved": moved})

    SQSResponse.start_message_move_task = start  # type: ignore[attr-defined]
    SQSResponse.list_message_move_tasks = listed  # type: ignore[attr-defined]
    SQSResponse.cancel_message_move_task = cancel  # type: ignore[attr-defined]
