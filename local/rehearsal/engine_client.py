"""The container engine of a rehearsal: its own, started here and gone when the rehearsal ends."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from local import processes

SCRIPTS = Path(__file__).resolve().parent / "engine"
BASE = "public.ecr.aws/docker/library/python:3.13-slim"
_DEBIAN = ("docker.io", "docker-registry", "mmdebstrap")
_START_S = 60
_PULL_S = 90
_BUILD_BASE_S = 240
_END_S = 20
_COMMAND_S = 60


class NoEngine(Exception):
    """There is none, and none can be started; the text says why, in one line."""


@dataclass(frozen=True)
class Engine:
    """A container engine that runs for the rehearsal; all that it writes is in `folder`.

    `environment` is what every program that talks to it needs; `processes` its own view of /proc.
    """

    program: str
    environment: Mapping[str, str]
    processes: Path = Path("/proc")
    folder: Path | None = None

    def command(self, *arguments: str) -> list[str]:
        return [self.program, *arguments]

    def run(
        self, *arguments: str, check: bool = True, timeout_s: float = _COMMAND_S
    ) -> "subprocess.CompletedProcess[str]":
        """Run one command of it. Raises CalledProcessError, TimeoutExpired."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            check=check,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def inspect(self, name: str, template: str) -> str:
        """One value of a container or image, or an empty text."""
        return self.run("inspect", "--format", template, name, check=False).stdout.strip()


@contextmanager
def started_engine(log: Path) -> Iterator[Engine]:
    """An engine with a registry behind ECR's name and the image's base. Raises NoEngine.

    What `engine/run` starts ends with this process, however that ends.
    """
    if shutil.which("dockerd") is None or shutil.which("docker-registry") is None:
        raise NoEngine(f"no container engine; on Debian, as root: apt-get install {' '.join(_DEBIAN)}")
    if os.geteuid():
        raise NoEngine("the engine runs in namespaces of its own, which needs root")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as errors:
        process = processes.spawn(
            [str(SCRIPTS / "run")], env=os.environ, stdout=subprocess.PIPE, stderr=errors
        )
    folder = None
    try:
        engine = _answering(process, log)
        folder = engine.folder
        _provide_base(engine)
        yield engine
    finally:
        _end(process)
        if folder is not None:  # what an engine that had to be killed could not take away
            shutil.rmtree(folder, ignore_errors=True)


def _answering(process: "subprocess.Popen[bytes]", log: Path) -> Engine:
    assert process.stdout is not None
    too_late = Timer(_START_S, process.kill)
    too_late.start()
    line = process.stdout.readline().decode()
    too_late.cancel()
    if not line:
        said = log.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise NoEngine(f"the container engine does not start within {_START_S} s: {said[0]} ({log})")
    settings = dict(pair.split("=", 1) for pair in line.removeprefix("export ").split())
    (inside,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return Engine(
        settings["CDK_DOCKER"],
        {**os.environ, **settings},
        Path(f"/proc/{inside}/root/proc"),
        Path(settings["DOCKER_CONFIG"]).parent,
    )


def _provide_base(engine: Engine) -> None:
    """Pulled, or built from Debian's packages where no image registry is reached."""
    if engine.run("pull", "--quiet", BASE, check=False, timeout_s=_PULL_S).returncode == 0:
        return
    builder = processes.spawn(
        [str(SCRIPTS / "base-image"), BASE],
        env=engine.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, errors = builder.communicate(timeout=_BUILD_BASE_S)
    except subprocess.TimeoutExpired:
        os.killpg(builder.pid, signal.SIGKILL)
        builder.wait()
        raise NoEngine(f"{BASE} cannot be pulled, nor built within {_BUILD_BASE_S} s") from None
    if builder.returncode:
        said = errors.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise NoEngine(f"{BASE} cannot be pulled, nor built ({builder.returncode}): {said[0]}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM to the script inside (its waiting parent takes none), then SIGKILL, which takes all with it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
