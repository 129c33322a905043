"""Child processes that never outlive this one.

Each child is in a session of its own, so that Ctrl-C reaches only the parent, which stops its children in
order; and the kernel kills a child whose parent died, however it died.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1
# A program of its own instead of preexec_fn, which may deadlock in a parent that has threads.
_TETHER = (
    "import ctypes, os, sys\n"
    f"ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, {int(signal.SIGKILL)})\n"
    "if os.getppid() != int(sys.argv[1]): sys.exit('the parent is gone')\n"
    "os.execvpe(sys.argv[2], sys.argv[2:], os.environ)\n"
)
# The kernel's promise is about the thread that forked: one that lives as long as the process does it for all.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: IO[Any] | int | None = None,
    stderr: IO[Any] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child that dies with this process. `command[0]` is looked up on `env`'s PATH."""
    tethered = list(command)
    if sys.platform == "linux":
        tethered = [sys.executable, "-S", "-E", "-c", _TETHER, str(os.getpid()), *tethered]
    return _spawner.submit(
        subprocess.Popen,
        tethered,
        env=None if env is None else dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    ).result()


def stop(process: subprocess.Popen[bytes], timeout_s: float) -> int:
    """SIGTERM, then SIGKILL when it has not ended in time; returns the exit code."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def first_line_as_json(process: subprocess.Popen[bytes], what: str, log: Path) -> dict[str, Any]:
    """The line of JSON that a server of ours prints when it is ready. Raises RuntimeError if it ends."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{what} did not start (exit code {process.wait()}); see {log}:\n{tail(log)}")
    document: dict[str, Any] = json.loads(line)
    return document


def tail(path: Path, lines: int = 15) -> str:
    """The end of a log file, for an error message."""
    if not path.exists():
        return "(no log)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def wait_for(condition: Callable[[], T | None], what: str, timeout_s: float, poll_s: float = 0.05) -> T:
    """The condition's first true value. Raises TimeoutError that says what was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not seen within {timeout_s:g} s: {what}")
        time.sleep(poll_s)
