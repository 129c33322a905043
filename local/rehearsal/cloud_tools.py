"""The CDK's command line and the workflows' own entry points, with the local AWS in AWS's place."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from local.assembly import ROOT
from local.rehearsal.steps import StepFailed
from ops.assembly.synth import CDK

STACKS = "dev/*"
_QUIET = ("--no-notices", "--no-color")
_LAST_LINES = 12
_LIMIT_S = 240


class CloudTools:
    """`environment` points every program at the local account and the engine."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = {
            **os.environ,
            **environment,
            # Node is beside this interpreter.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
        }
        self._log = log

    def synth(self, module: str, assembly: Path) -> None:
        """Synthesize an app of this checkout, `python -m module`."""
        options = ("--app", f"{sys.executable} -m {module}", "--output", str(assembly))
        self.cdk("synth", "--quiet", "--no-lookups", *options)

    def cdk(self, *arguments: str, expect: int = 0) -> str:
        """The output of `cdk`. Raises StepFailed when it ends otherwise than expected."""
        return self._run([str(CDK), *arguments, *_QUIET], expect)

    def deploy(self, assembly: Path) -> str:
        """`--method direct`: the local CloudFormation has no change sets."""
        where = ("--app", str(assembly), "--method", "direct", "--require-approval", "never")
        return self.cdk("deploy", STACKS, *where)

    def diff(self, assembly: Path, *, expect: int = 0) -> str:
        """Exit code 1 when there is a difference."""
        where = ("--app", str(assembly), "--method", "template", "--fail-on", "any-change")
        return self.cdk("diff", STACKS, *where, expect=expect)

    def workflow(self, verb: str, assembly: Path, *, expect: int = 0) -> str:
        """The entry point that the workflows' jobs call: plan or drift."""
        command = [sys.executable, "-m", "ops.deploy", "--assembly", str(assembly), verb, "dev"]
        return self._run(command, expect)

    def _run(self, command: list[str], expect: int) -> str:
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=_LIMIT_S,
            )
        except subprocess.TimeoutExpired as error:
            said = (error.output or b"").decode(errors="replace")
            raise StepFailed(
                f"{' '.join(command[:3])} has not ended in {_LIMIT_S} s:\n{said[-800:]}"
            ) from None
        with self._log.open("a") as log:
            log.write(f"$ {' '.join(command)}\n{done.stdout}\n(exit {done.returncode})\n\n")
        if done.returncode != expect:
            last = "\n".join(done.stdout.strip().splitlines()[-_LAST_LINES:])
            raise StepFailed(
                f"{' '.join(command[:3])} ended with {done.returncode}, not {expect} "
                f"({self._log} has all of it):\n{last}"
            )
        return done.stdout
