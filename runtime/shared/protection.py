"""ECS task scale-in protection: held while something in hand could not be handed over cheaply.

Most work is resumed elsewhere within seconds, so scaling in and deployments may stop its worker with
SIGTERM; for the rest the task is protected. The agent is called on changes and to renew, by a thread of its
own; a refusal or an agent that does not answer is logged and survived. Outside ECS (no agent address) nothing
happens. Spot interruptions ignore it.
"""

import http.client
import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

AGENT_URI_VARIABLE = "ECS_AGENT_URI"
_CALL_TIMEOUT_S = 5.0
# After an agent that did not answer; a refusal is a decision and waits for the regular renewal.
_RETRY_S = 60.0

_log = logging.getLogger(__name__)


class Agent(Protocol):
    """One call to the agent; raises OSError when it cannot be reached."""

    def __call__(self, body: Mapping[str, Any]) -> Mapping[str, Any]: ...


class TaskProtection:
    """`set_busy` may be called from any thread and never blocks."""

    def __init__(
        self, agent: Agent | None, *, minutes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._agent = agent
        self._minutes = minutes
        self._clock = clock
        self._changed = threading.Condition()
        self.on_answer: Callable[[str | None], object] = lambda _failure: None
        """Told why each request for protection was refused; None: it was not."""
        self._held: list[object] = []
        self._busy = False
        self._protected = False
        self._next_call_at: float | None = None
        self._stopped = False

    def start(self) -> None:
        if self._agent is not None:
            threading.Thread(target=self._run, name="protection", daemon=True).start()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def set_busy(self, busy: bool) -> None:
        with self._changed:
            self._busy = busy
            self._changed.notify_all()

    @contextmanager
    def hold(self, work: object) -> Iterator[None]:
        """Protect the task for as long as this piece of work is in the `with` block."""
        with self._changed:
            self._held.append(work)
            self.set_busy(True)
        try:
            yield
        finally:
            with self._changed:
                self._held.remove(work)
                self.set_busy(bool(self._held))

    def holds(self, work: object) -> bool:
        """Whether this piece of work is a reason for the protection."""
        with self._changed:
            return any(held is work for held in self._held)

    @property
    def held(self) -> bool:
        """Whether anything is."""
        return bool(self._held)

    def due(self) -> bool:
        """True on an idle↔busy change not yet told, and when a busy task's protection is to be renewed."""
        if self._next_call_at is not None and self._busy:
            return self._clock() >= self._next_call_at
        return self._busy != self._protected

    def call_if_due(self) -> None:
        """One turn: tell the agent if there is something to tell."""
        with self._changed:
            if self._agent is None or not self.due():
                return
            busy = self._busy
        wait_s = self._minutes * 60 / 2
        body: dict[str, Any] = {"ProtectionEnabled": busy}
        if busy:
            body["ExpiresInMinutes"] = self._minutes
        try:
            answer = self._agent(body)
        except (OSError, ValueError, http.client.HTTPException) as error:
            _log.warning("The ECS agent did not take the scale-in protection (%s); the work goes on", error)
            wait_s = min(_RETRY_S, wait_s)
        else:
            failure = answer.get("failure") or answer.get("error")
            if failure:
                _log.warning("Scale-in protection was refused: %s; the work goes on", failure)
            if busy:
                self.on_answer(_reason(failure))
        with self._changed:
            self._protected = busy
            self._next_call_at = self._clock() + wait_s if busy else None

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self.due(), self._until_renewal())
                if self._stopped:
                    return
            self.call_if_due()

    def _until_renewal(self) -> float | None:
        if self._next_call_at is None or not self._busy:
            return None
        return max(0.0, self._next_call_at - self._clock())


def _reason(failure: Any) -> str | None:
    if isinstance(failure, Mapping):
        return str(failure.get("Reason") or failure.get("Code") or "unknown")
    return str(failure) if failure else None


def ecs_agent(base_uri: str | None) -> Agent | None:
    """The agent at $ECS_AGENT_URI; None outside ECS."""
    if not base_uri:
        return None

    def call(body: Mapping[str, Any]) -> Mapping[str, Any]:
        request = urllib.request.Request(  # noqa: S310  the address is the platform's own
            f"{base_uri.rstrip('/')}/task-protection/v1/state",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method="PUT",
        )
        try:
            with urllib.request.urlopen(request, timeout=_CALL_TIMEOUT_S) as answer:  # noqa: S310
                document = json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            # The agent puts its failure into the body of a 4xx or 5xx.
            document = json.loads(error.read() or b"{}")
            if not isinstance(document, dict) or not ("failure" in document or "error" in document):
                raise
        return document if isinstance(document, dict) else {}

    return call
