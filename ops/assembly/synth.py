"""Synthesize a revision as CI would: no credentials, no look-ups, no Docker, nothing left behind."""

import os
import subprocess
import sys
from pathlib import Path

from ops.assembly.model import AssemblyError

APP = "app.py"
# The CLI of this checkout, also for a base that has none installed.
CDK = Path(__file__).resolve().parents[2] / "node_modules" / ".bin" / "cdk"
_LAST_LINES = 25


def has_app(source: Path) -> bool:
    return (source / APP).exists() and (source / "cdk.json").exists()


def synthesize(source: Path, output: Path) -> None:
    """Run the CDK app of `source` with this interpreter. Raises AssemblyError with the synth's last words."""
    command = [
        str(CDK), "synth", "--quiet", "--no-lookups", "--no-notices", "--no-color",
        "--app", f"{sys.executable} {APP}", "--output", str(output),
    ]  # fmt: skip
    try:
        outcome = subprocess.run(
            command, cwd=source, env=_offline(), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise AssemblyError("the CDK's command line is missing; `make setup` installs it") from error
    if outcome.returncode:
        words = "\n".join((outcome.stdout + outcome.stderr).strip().splitlines()[-_LAST_LINES:])
        raise AssemblyError(f"cdk synth failed in {source} (exit {outcome.returncode}):\n{words}")


def _offline() -> dict[str, str]:
    # Somebody's own credentials or default region must not change what is synthesized.
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "CDK_"))}
    return kept | {
        # Node is beside this interpreter.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }
