"""Synthesize a revision as CI would: no credentials, no look-ups, no Docker, nothing left behind."""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from ops.gate.model import GateError

APP = "app.py"
# The CLI of this checkout, also for a base that has none installed.
CDK = Path(__file__).resolve().parents[2] / "node_modules" / ".bin" / "cdk"
_LAST_LINES = 25
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


def has_app(source: Path) -> bool:
    return (source / APP).exists() and (source / "cdk.json").exists()


def synthesize(source: Path, output: Path) -> None:
    """Run the CDK app of `source` with this interpreter. Raises GateError with the synth's last words."""
    command = [
        str(CDK), "synth", "--quiet", "--no-lookups", "--no-notices", "--no-color",
        "--app", f"{sys.executable} {APP}", "--output", str(output),
    ]  # fmt: skip
    outcome = subprocess.run(command, cwd=source, env=_offline(), capture_output=True, text=True, check=False)
    if outcome.returncode:
        words = "\n".join((outcome.stdout + outcome.stderr).strip().splitlines()[-_LAST_LINES:])
        raise GateError(f"cdk synth failed in {source} (exit {outcome.returncode}):\n{words}")


def _offline() -> dict[str, str]:
    # Somebody's own credentials or default region must not change what is synthesized.
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "CDK_"))}
    return kept | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }
