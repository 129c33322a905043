"""The archive servers and the sink as child processes, with or without TLS, and what they say of a run."""

import http.client
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tls import HOST, Certificates

_CPUCLOCK_SCHED = 2


@dataclass(frozen=True)
class Service:
    """Programs go to `url`, the harness asks at `port`, over TLS where `tls` is set."""

    processes: tuple[subprocess.Popen[str], ...]
    url: str
    port: int
    tls: ssl.SSLContext | None = None

    def ask(self, method: str, path: str, body: str | None = None) -> Any:
        connection = (
            http.client.HTTPSConnection(HOST, self.port, timeout=60, context=self.tls)
            if self.tls
            else http.client.HTTPConnection(HOST, self.port, timeout=60)
        )
        try:
            connection.request(method, path, body)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def cpu_seconds(self) -> float:
        """Of its processes, the terminator included."""
        return sum(cpu_seconds(process.pid) for process in self.processes)


@dataclass(frozen=True)
class Services:
    """What every program is run against."""

    server: Service
    paced: Service
    sink: Service
    certificates: Certificates | None

    @property
    def all(self) -> tuple[Service, ...]:
        return self.server, self.paced, self.sink


@contextmanager
def services(directory: Path, archives: Path, *, tls: bool) -> Iterator[Services]:
    """Start them; they end with the block. Certificates are made anew, in `directory`."""
    certificates = Certificates.make(directory) if tls else None
    with ExitStack() as stack:

        def start(module: str, *arguments: str) -> tuple[subprocess.Popen[str], int]:
            return stack.enter_context(_process(module, *arguments))

        def terminated(module: str, *arguments: str) -> Service:
            process, port = start(module, *arguments)
            if certificates is None:
                return Service((process,), f"http://{HOST}:{port}", port)
            terminator, tls_port = start("benchmarks.tls", str(port), str(certificates.server))
            return Service((process, terminator), f"https://{HOST}:{tls_port}", port)

        def speaking_tls(module: str, *arguments: str) -> Service:
            if certificates is None:
                process, port = start(module, *arguments)
                return Service((process,), f"http://{HOST}:{port}", port)
            process, port = start(module, *arguments, str(certificates.server))
            trusting = ssl.create_default_context(cafile=str(certificates.authority))
            return Service((process,), f"https://{HOST}:{port}", port, trusting)

        yield Services(
            server=terminated("benchmarks.server", str(archives)),
            paced=speaking_tls("benchmarks.paced", str(archives)),
            sink=speaking_tls("benchmarks.sink"),
            certificates=certificates,
        )


@contextmanager
def service(module: str, *arguments: str) -> Iterator[Service]:
    """One of another benchmark's, without TLS; it ends with the block."""
    with _process(module, *arguments) as (process, port):
        yield Service((process,), f"http://{HOST}:{port}", port)


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`python -m module`, which prints the port that it listens on."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.strip():
                raise RuntimeError(f"{module} did not start; its error is above")
            yield process, int(line)
        finally:
            process.kill()


def cpu_seconds(pid: int) -> float:
    """User and system time of a running process, its threads included."""
    # The id of another process's CPU clock, as clock_getcpuclockid(3) makes it; /proc counts in 10 ms.
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
