"""The container engine: found where the environment points, or started here when its program is installed."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent / "engine"
BASE = "public.ecr.aws/docker/library/python:3.13-slim"
_DEBIAN = ("docker.io", "iptables", "mmdebstrap", "docker-registry")


class NoEngine(Exception):
    """There is none, and none can be started; the text says what to install."""


@dataclass(frozen=True)
class Engine:
    """`environment` is what every program that talks to it needs."""

    program: str
    environment: Mapping[str, str]

    def command(self, *arguments: str) -> list[str]:
        return [self.program, *arguments]

    def run(
        self, *arguments: str, check: bool = True, timeout_s: float | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run one command of it. Raises CalledProcessError, TimeoutExpired."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            check=check,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def inspect(self, name: str, template: str) -> str:
        """One value of a container or image, or an empty text."""
        return self.run("inspect", "--format", template, name, check=False).stdout.strip()

    @property
    def version(self) -> str:
        return self.run("version", "--format", "{{.Server.Version}}").stdout.strip()


def find_engine() -> Engine:
    """An engine with a registry behind ECR's name and the image's base. Raises NoEngine."""
    if shutil.which("dockerd") is None:
        raise NoEngine(f"no container engine: on Debian, `apt-get install {' '.join(_DEBIAN)}` as root")
    if os.geteuid():
        raise NoEngine("the engine is started in a mount namespace of its own, which needs root")
    started = _script("start")
    environment = dict(os.environ)
    for assignment in started.removeprefix("export ").split():
        name, _, value = assignment.partition("=")
        environment[name] = value
    engine = Engine(environment["CDK_DOCKER"], environment)
    if engine.run("image", "inspect", BASE, check=False).returncode:
        pulled = engine.run("pull", "--quiet", BASE, check=False, timeout_s=60)
        if pulled.returncode:
            _script("base-image", environment)
    _script("registry", environment)
    return engine


def _script(name: str, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(SCRIPTS / name)], env=environment, check=False, capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        raise NoEngine(f"{SCRIPTS.name}/{name} failed ({done.returncode}): {done.stderr.strip()[-800:]}")
    return done.stdout.strip()
