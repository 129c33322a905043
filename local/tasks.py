"""One running task: a process started from its registered definition, with what ECS would do around it."""

import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from local import processes

Health = Literal["UNKNOWN", "HEALTHY", "UNHEALTHY"]

_DEFAULT_STOP_TIMEOUT_S = 30


@dataclass(frozen=True, kw_only=True)
class TaskDefinition:
    """The state of a service's tasks, read back from ECS."""

    service: str  # the container's SERVICE_MODE
    cluster: str
    family: str
    revision: str
    task_role_arn: str
    execution_role_arn: str
    container: Mapping[str, Any]  # as describe_task_definition spells it
    cpu_units: int = 1024

    @property
    def command(self) -> list[str]:
        return [*self.container.get("entryPoint", ()), *self.container["command"]]

    @property
    def environment(self) -> dict[str, str]:
        return {pair["name"]: pair["value"] for pair in self.container["environment"]}

    @property
    def stop_timeout_s(self) -> float:
        return float(self.container.get("stopTimeout", _DEFAULT_STOP_TIMEOUT_S))


@dataclass(kw_only=True)
class Task:
    """A running (or ended) task; `health` follows the definition's health check as ECS would run it.

    An unhealthy task is stopped, as ECS stops an essential container's task.
    """

    name: str  # also the name of its log
    task_id: str
    definition: TaskDefinition
    environment: Mapping[str, str]
    working_directory: Path
    log: Path
    health: Health = "UNKNOWN"
    peak_rss_mb: float = 0.0
    process: subprocess.Popen[bytes] = field(init=False, repr=False)
    _ended: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def start(self) -> "Task":
        with self.log.open("ab") as log:
            self.process = processes.spawn(
                self.definition.command,
                env=self.environment,
                cwd=self.working_directory,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        threading.Thread(target=self._watch, name=f"watch-{self.name}", daemon=True).start()
        if "healthCheck" in self.definition.container:
            threading.Thread(target=self._check_health, name=f"health-{self.name}", daemon=True).start()
        return self

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self.process.poll()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal and return at once."""
        if self.running:
            self.process.send_signal(number)

    def stop(self, timeout_s: float | None = None) -> int:
        """SIGTERM, then SIGKILL after the definition's stopTimeout; returns the exit code."""
        self.kill(signal.SIGTERM)
        return self.wait_for_end(timeout_s)

    def wait_for_end(self, timeout_s: float | None = None) -> int:
        """The exit code of a task that was told to stop; SIGKILL after the definition's stopTimeout."""
        try:
            return self.process.wait(self.definition.stop_timeout_s if timeout_s is None else timeout_s)
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGKILL)
            return self.process.wait()

    def wait_until_ready(self, timeout_s: float = 30.0) -> None:
        """Until /readyz says yes. Raises RuntimeError with the end of its log if the task ends before."""

        def ready() -> bool:
            if not self.running:
                raise RuntimeError(
                    f"{self.name} ended with exit code {self.exit_code} before it was ready; "
                    f"the end of {self.log}:\n{processes.tail(self.log)}"
                )
            return self.probe("/readyz")

        processes.wait_for(ready, f"{self.name} ready (its log is {self.log})", timeout_s)

    def probe(self, path: str) -> bool:
        """Whether the task's health endpoint answers 200 at this path."""
        url = f"http://127.0.0.1:{self.environment['HEALTH_PORT']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def _watch(self) -> None:
        status = Path(f"/proc/{self.process.pid}/status")
        while self.running:
            try:
                lines = status.read_text().splitlines()
            except OSError:
                break
            peak = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
            # The tether that becomes the task is not it: its peak is smaller, so the larger one is the
            # task's.
            self.peak_rss_mb = max(self.peak_rss_mb, int(peak) / 1024 if peak else 0.0)
            self._ended.wait(0.2)
        self.process.wait()
        self._ended.set()

    def _check_health(self) -> None:
        check = self.definition.container["healthCheck"]
        kind, *rest = check["command"]
        command = ["/bin/sh", "-c", *rest] if kind == "CMD-SHELL" else rest
        began, failures = time.monotonic(), 0
        while not self._ended.wait(check.get("interval", 30)):
            if self._passes(command, check.get("timeout", 5)):
                self.health, failures = "HEALTHY", 0
            elif self.health == "HEALTHY" or time.monotonic() - began > check.get("startPeriod", 0):
                failures += 1
                if failures >= check.get("retries", 3):
                    self.health = "UNHEALTHY"
                    self.stop()
                    return

    def _passes(self, command: list[str], timeout_s: float) -> bool:
        with self.log.with_suffix(".health").open("ab") as log:
            checker = processes.spawn(
                command, env=self.environment, cwd=self.working_directory, stdout=log, stderr=log
            )
        try:
            return checker.wait(timeout_s) == 0
        except subprocess.TimeoutExpired:
            os.killpg(checker.pid, signal.SIGKILL)
            checker.wait()
            return False
