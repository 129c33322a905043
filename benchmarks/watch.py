"""Watching one program from the start line to its last line: time, CPU, peak memory, and how it got on."""

import select
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

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


class Watch:
    """Created at the start line; `until_end` returns when it is done or its time box is used up."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        sink: Service,
        *,
        time_box_s: float | None,
    ) -> None:
        self._process = process
        self._sink = sink
        self._time_box_s = time_box_s
        self._start = Mark(time.monotonic(), cpu_seconds(process.pid), 0)
        self._first_object: Mark | None = None
        self.peak_rss_mb = 0.0

    def until_end(self) -> Outcome:
        """What was measured, up to the program's last line. Raises RuntimeError when it fails."""
        said = self._process.stdout
        assert said is not None
        while not select.select([said], [], [], _POLL_S)[0]:
            self._look()
            elapsed = time.monotonic() - self._start.at
            if self._time_box_s is not None and elapsed > self._time_box_s:
                return self._stop()
            if elapsed > _GIVE_UP_S:
                raise RuntimeError(f"it was not done after {_GIVE_UP_S} s")
        end = Mark(time.monotonic(), self._cpu_seconds(), 0)
        self._look_at_memory()
        if said.readline() != "done\n" or self._process.wait() != 0:
            raise RuntimeError(f"it failed with status {self._process.wait()}")
        return Outcome(self._start, end._replace(output_bytes=self._report()["bytes"]), stopped=False)

    def _cpu_seconds(self) -> float:
        # Gone already when the program failed instead of saying that it is done.
        try:
            return cpu_seconds(self._process.pid)
        except OSError:
            return 0.0

    def _look_at_memory(self) -> None:
        # The kernel's own high-water mark, so that looking now and then misses nothing.
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                self.peak_rss_mb = int(line.split()[1]) * 1024 / 1e6

    def _look(self) -> None:
        self._look_at_memory()
        if self._time_box_s is not None and self._first_object is None:
            mark = self._mark()
            self._first_object = mark if mark.output_bytes else None

    def _stop(self) -> Outcome:
        end = self._mark()
        self._process.kill()
        self._process.wait()
        if self._first_object is None:
            raise RuntimeError(f"not one right object within {self._time_box_s} s")
        return Outcome(self._first_object, end, stopped=True)

    def _mark(self) -> Mark:
        output = self._report()["bytes"]
        return Mark(time.monotonic(), cpu_seconds(self._process.pid), output)

    def _report(self) -> Any:
        return self._sink.ask("GET", "/-/report")
