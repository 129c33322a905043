"""The CDK's command line on an assembly that is synthesized already."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ops.assembly.model import Stack
from ops.assembly.synth import CDK

_COUNTED = re.compile(r"Number of resources with drift: (\d+)")
_QUIET = ("--no-notices", "--no-color")


class ToolkitError(RuntimeError):
    """The command line failed; what it said is on the terminal or in the text."""


class Toolkit:
    """Runs `cdk` with this process's credentials. `command` is another program in its place."""

    def __init__(self, assembly: Path, command: Sequence[str] = (str(CDK),)) -> None:
        self._assembly = assembly
        self._command = command

    def drift(self, stacks: Sequence[Stack]) -> tuple[bool, str]:
        """(whether any stack was altered by hand, what the CLI says). Only stacks that exist can be asked."""
        outcome = self._run("drift", stacks, "--fail")
        # The CLI ends with 1 for drift and for an error alike, and with 0 when a stack did not answer.
        counted = _COUNTED.search(outcome.stdout)
        if counted is None or "Failed to check drift" in outcome.stdout:
            raise ToolkitError(f"cdk drift failed ({outcome.returncode}):\n{outcome.stdout.strip()}")
        return int(counted[1]) > 0, outcome.stdout.strip()

    def diff(self, stacks: Sequence[Stack]) -> str:
        """The changes that a deployment would make in the account."""
        outcome = self._run("diff", stacks, "--method", "template")
        if outcome.returncode:
            raise ToolkitError(f"cdk diff failed ({outcome.returncode}):\n{outcome.stdout.strip()}")
        return outcome.stdout.strip()

    def deploy(self, stacks: Sequence[Stack]) -> None:
        """Every stack in the assembly's order. People have approved the plan; nobody is left to ask."""
        command = [*self._command, "deploy", *_ids(stacks), "--app", str(self._assembly)]
        command += ["--require-approval", "never", *_QUIET]
        if code := subprocess.run(command, env=_environment(), check=False).returncode:
            raise ToolkitError(f"cdk deploy failed ({code}); the lines above say where")

    def _run(self, verb: str, stacks: Sequence[Stack], *options: str) -> "subprocess.CompletedProcess[str]":
        command = [*self._command, verb, *_ids(stacks), "--app", str(self._assembly), *options, *_QUIET]
        return subprocess.run(
            command,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


def _environment() -> dict[str, str]:
    # Node is beside this interpreter.
    here = str(Path(sys.executable).parent)
    return os.environ | {"PATH": os.pathsep.join([here, os.environ.get("PATH", os.defpath)])}


def _ids(stacks: Sequence[Stack]) -> list[str]:
    return [f"{stack.environment}/{stack.name}" for stack in stacks]
