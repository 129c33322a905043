"""The ECS agent's task-protection endpoint, emulated: what a task asks of `$ECS_AGENT_URI`.

Every call is recorded with the task that made it. A test can make the agent refuse, as it does while a
deployment waits for the task (`DEPLOYMENT_BLOCKED`), or fail outright.
"""

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

_DEFAULT_MINUTES = 120
_MOST_MINUTES = 2_880


@dataclass(frozen=True, kw_only=True)
class ProtectionCall:
    """One call of a task: GET has no body."""

    task_id: str
    method: str
    enabled: bool | None
    minutes: int | None
    at: datetime


@dataclass(kw_only=True)
class EcsAgent:
    """Protection state by task. `refusal`: a failure reason to answer with instead; `broken`: answer 500."""

    calls: list[ProtectionCall] = field(default_factory=list)
    refusal: str | None = None
    broken: bool = False
    _until: dict[str, datetime] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, task_id: str, task_arn: str, method: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and document for a call of this task at /task-protection/v1/state."""
        now = datetime.now(UTC)
        enabled: Any
        minutes: Any
        try:
            asked = json.loads(body) if method == "PUT" else {}
            enabled = asked.get("ProtectionEnabled") if method == "PUT" else None
            minutes = asked.get("ExpiresInMinutes", _DEFAULT_MINUTES if enabled else None)
        except (ValueError, AttributeError):
            return 400, _error(task_arn, "InvalidParameterException", "the body is not a JSON object")
        with self._lock:
            self.calls.append(
                ProtectionCall(task_id=task_id, method=method, enabled=enabled, minutes=minutes, at=now)
            )
            if self.broken:
                return 500, _error(task_arn, "ServerException", "the agent is broken on purpose")
            if method == "PUT":
                if not isinstance(enabled, bool) or (enabled and not 1 <= int(minutes) <= _MOST_MINUTES):
                    return 400, _error(
                        task_arn,
                        "InvalidParameterException",
                        f"ProtectionEnabled is a boolean and ExpiresInMinutes from 1 to {_MOST_MINUTES}",
                    )
                if self.refusal is not None:
                    return 200, {"failure": {"Arn": task_arn, "Reason": self.refusal}}
                self._until.pop(task_id, None)
                if enabled:
                    self._until[task_id] = now + timedelta(minutes=minutes)
            return 200, {"protection": self._state(task_id, task_arn, now)}

    def is_protected(self, task_id: str) -> bool:
        """Whether the task is protected from scale-in now."""
        with self._lock:
            return self._until.get(task_id, datetime.min.replace(tzinfo=UTC)) > datetime.now(UTC)

    def _state(self, task_id: str, task_arn: str, now: datetime) -> dict[str, Any]:
        until = self._until.get(task_id)
        if until is None or until <= now:
            return {"ProtectionEnabled": False, "TaskArn": task_arn}
        return {
            "ProtectionEnabled": True,
            "ExpirationDate": until.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "TaskArn": task_arn,
        }


def _error(task_arn: str, code: str, message: str) -> dict[str, Any]:
    return {"error": {"Arn": task_arn, "Code": code, "Message": message}}
