"""The files of a git reference, written out to be synthesized."""

import io
import subprocess
import tarfile
from pathlib import Path

from ops.gate.model import GateError

_SHORT = 10


def check_out(repository: Path, ref: str, target: Path) -> str:
    """Write the files of a git reference to `target`; the short commit id. Raises GateError."""
    asked = subprocess.run(
        [
            "git",
            "-C",
            str(repository),
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            f"{ref}^{{commit}}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        raise GateError(f"git does not know {ref!r} here: fetch it, or name another BASE")
    commit = asked.stdout.strip()
    # An archive rather than a worktree: there is nothing to clean up in .git when this is interrupted.
    archive = subprocess.run(
        ["git", "-C", str(repository), "archive", "--format=tar", commit], capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(target, filter="data")
    return commit[:_SHORT]
