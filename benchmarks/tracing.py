"""CPU of an archive's spans: off, not sampled, recorded. `python -m benchmarks.tracing` prints microseconds.

Each mode is measured in fresh processes, three times; what is counted is their own CPU time, with that of
encoding the spans and writing them to a file, so that a busy machine changes it little.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runtime.shared import tracing

MODES = {"off": None, "not sampled": 0.0, "recorded": 1.0}
ARCHIVES = 400
ROUNDS = 3


def main() -> None:
    if len(sys.argv) > 1:
        print(f"{measured(MODES[sys.argv[1]]):.1f}")
        return
    for mode in MODES:
        command = [sys.executable, "-m", "benchmarks.tracing", mode]
        rounds = [float(subprocess.check_output(command)) for _ in range(ROUNDS)]
        print(f"{mode}: {sorted(rounds)[ROUNDS // 2]:.1f} µs of CPU an archive ({rounds})")


def measured(ratio: float | None) -> float:
    """Microseconds an archive; None: tracing is off."""
    with tempfile.TemporaryDirectory() as folder:
        if ratio is not None:
            from runtime.shared.tracing.delivery import FileSink, SpanQueue
            from runtime.shared.tracing.recorder import Recorder

            queue = SpanQueue(FileSink(Path(folder) / "traces.jsonl"), every_s=5)
            tracing.start(Recorder({"service.name": "worker"}, queue, sample_ratio=ratio))
        _archive()
        began = time.process_time()
        for _ in range(ARCHIVES):
            _archive()
        tracing.stop()
        return (time.process_time() - began) / ARCHIVES * 1e6


def _archive() -> None:
    """The spans that the worker makes for an archive without very large entries."""
    with tracing.received({}, message_id="m", queue="q", received=1, handovers=0) as whole:
        whole.set(export_job_id="j", task_id="t", file_id="f")
        for name in ("claim", "open", "open", "plan"):
            with tracing.span(name, bytes=1) as span:
                span.set(entries=3)
        with tracing.span("upload") as span:
            with tracing.span("fetch", pieces=1):
                pass
            span.set(objects=1, bytes=2)
        for name in ("publish", "complete", "count"):
            with tracing.span(name, entries=1):
                pass


if __name__ == "__main__":
    main()
