"""The services' tasks, kept at their number as ECS keeps them, and what can be done to one of them."""

import resource
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from local.platform import Platform
from local.tasks import Task

MIB = 1 << 20
# What a squeezed process may still take: less than one part of an upload.
_HEADROOM_BYTES = 2 * MIB


class Fleet:
    """Runs `desired` tasks of each service until `stop`; a task that ends is replaced.

    `ended` counts how tasks ended: `worker exit 0`, `worker signal 9`. Not for use from several threads, but
    for `kill`.
    """

    def __init__(
        self, platform: Platform, desired: Mapping[str, int], overrides: Callable[[str], dict[str, str]]
    ) -> None:
        self._platform = platform
        self._desired = dict(desired)
        self._overrides = overrides
        self._tasks: list[Task] = []
        self._starting: list[tuple[str, Future[Task]]] = []
        # One at a time: on two cores, starting two would only make both late.
        self._starter = ThreadPoolExecutor(1, "starter")
        self.ended: Counter[str] = Counter()
        self.next_overrides: dict[str, str] = {}
        self._limits: dict[int, tuple[int, int]] = {}

    def start(self) -> None:
        """Start every task and wait until each takes work."""
        for service, count in self._desired.items():
            for _ in range(count):
                self._tasks.append(
                    self._platform.run_task(service, overrides=self._overrides(service), ready=False)
                )
        for task in self._tasks:
            task.wait_until_ready(timeout_s=60)

    def supervise(self) -> None:
        """Replace what has ended. Returns at once."""
        for service, future in [pair for pair in self._starting if pair[1].done()]:
            self._starting.remove((service, future))
            self._tasks.append(future.result())
        for task in [task for task in self._tasks if not task.running]:
            self._tasks.remove(task)
            code = task.exit_code or 0
            how = f"signal {-code}" if code < 0 else f"exit {code}"
            self.ended[f"{task.definition.service} {how}"] += 1
        for service, count in self._desired.items():
            there = sum(task.definition.service == service for task in self._tasks)
            there += sum(name == service for name, _ in self._starting)
            for _ in range(count - there):
                overrides = self._overrides(service)
                if service == "worker":
                    overrides |= self.next_overrides
                    self.next_overrides = {}
                start = self._starter.submit(
                    self._platform.run_task, service, overrides=overrides, ready=False
                )
                self._starting.append((service, start))

    def pick(self, service: str, number: int) -> Task | None:
        """One of the running tasks of a service."""
        running = [task for task in self._tasks if task.definition.service == service and task.running]
        return running[number % len(running)] if running else None

    def kill(self, variable: str, value: str) -> bool:
        """SIGKILL the task whose environment has this value; False when none runs. From any thread."""
        for task in list(self._platform.tasks):
            if task.environment.get(variable) == value and task.running:
                task.kill()
                return True
        return False

    def stop(self, timeout_s: float) -> list[str]:
        """End every task as a deployment would; returns a line for each that did not end by itself with 0."""
        self._desired = {}
        self._starter.shutdown()
        self.supervise()
        with ThreadPoolExecutor(len(self._tasks) or 1) as stopping:
            codes = list(stopping.map(lambda task: task.stop(timeout_s), self._tasks))
        return [
            f"{task.name} ended with {code} at SIGTERM"
            for task, code in zip(self._tasks, codes, strict=True)
            if code
        ]

    def squeeze(self, task: Task) -> bool:
        """Let the process have next to no more memory. False when it has ended meanwhile."""
        pid = task.process.pid
        try:
            used = _data_bytes(pid)
            self._limits[pid] = resource.prlimit(pid, resource.RLIMIT_DATA)
            resource.prlimit(pid, resource.RLIMIT_DATA, (used + _HEADROOM_BYTES, self._limits[pid][1]))
        except (ProcessLookupError, FileNotFoundError, KeyError):
            return False
        return True

    def release(self, task: Task) -> None:
        """Undo `squeeze`."""
        limit = self._limits.pop(task.process.pid, None)
        if limit and task.running:
            try:
                resource.prlimit(task.process.pid, resource.RLIMIT_DATA, limit)
            except ProcessLookupError:
                return

    def thaw(self) -> None:
        """Let every stopped process go on."""
        for task in self._tasks:
            task.kill(signal.SIGCONT)


def _data_bytes(pid: int) -> int:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmData"].split()[0]) * 1024
