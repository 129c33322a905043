"""The archive server and the sink as child processes, and what they say of a run."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_CPUCLOCK_SCHED = 2


@dataclass(frozen=True)
class Service:
    """One of the two, listening on `port`."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: str | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.process.pid)


@contextmanager
def service(module: str, *arguments: str) -> Iterator[Service]:
    """Start `python -m module`, which prints its port; ends with the block."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.strip():
                raise RuntimeError(f"{module} did not start; its error is above")
            yield Service(process, int(line))
        finally:
            process.kill()


def cpu_seconds(pid: int) -> float:
    """User and system time of a running process, its threads included."""
    # The id of another process's CPU clock, as clock_getcpuclockid(3) makes it; /proc counts in 10 ms.
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
