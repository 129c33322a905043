"""Watching one running program from the start line to its end: time, CPU, peak memory, and how it got on."""

import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.server import FAST
from benchmarks.services import Service, cpu_seconds

_POLL_S = 0.1
_GIVE_UP_S = 900


class Mark(NamedTuple):
    """Where a program was at a moment: CPU seconds and right bytes so far."""

    at: float
    cpu_s: float
    output_bytes: int


class Outcome(NamedTuple):
    """From where to where the rates count, and whether the program was stopped rather than done."""

    start: Mark
    end: Mark
    stopped: bool
    status: int


class Watch:
    """Created at the start line; `until_end` returns when the program ended or its time box is used up."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        sink: Service,
        server: Service,
        *,
        time_box_s: float | None,
        half_way_bytes: int | None,
    ) -> None:
        self._process = process
        self._sink = sink
        self._server = server
        self._time_box_s = time_box_s
        self._half_way_bytes = half_way_bytes
        self._start = Mark(time.monotonic(), cpu_seconds(process.pid), 0)
        self._first_object: Mark | None = None
        self.peak_rss_mb = 0.0
        self.lanes_at_half_way: dict[str, int] = {}

    def until_end(self) -> Outcome:
        started, ending = self._start.at, os.pidfd_open(self._process.pid)
        try:
            while not select.select([ending], [], [], _POLL_S)[0]:
                self._look()
                elapsed = time.monotonic() - started
                if self._time_box_s is not None and elapsed > self._time_box_s:
                    return self._stop()
                if elapsed > _GIVE_UP_S:
                    raise RuntimeError(f"the program had not ended after {_GIVE_UP_S} s")
        finally:
            os.close(ending)
        ended = time.monotonic()
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        end = Mark(ended, usage.ru_utime + usage.ru_stime, self._report()["bytes"])
        return Outcome(self._start, end, stopped=False, status=self._process.returncode)

    def _look(self) -> None:
        # The kernel's high-water mark, so that looking now and then misses nothing but the last moment.
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                self.peak_rss_mb = int(line.split()[1]) * 1024 / 1e6
        if self._time_box_s is not None and self._first_object is None:
            mark = self._mark()
            self._first_object = mark if mark.output_bytes else None
        if self._half_way_bytes is not None and not self.lanes_at_half_way:
            sent = self._server.ask("GET", "/-/report")["sent"]
            sent.pop(FAST, None)
            if sum(sent.values()) >= self._half_way_bytes:
                self.lanes_at_half_way = sent

    def _stop(self) -> Outcome:
        end = self._mark()
        self._process.kill()
        self._process.wait()
        if self._first_object is None:
            raise RuntimeError(f"not one right object within {self._time_box_s} s")
        return Outcome(self._first_object, end, stopped=True, status=0)

    def _mark(self) -> Mark:
        output = self._report()["bytes"]
        return Mark(time.monotonic(), cpu_seconds(self._process.pid), output)

    def _report(self) -> Any:
        return self._sink.ask("GET", "/-/report")
