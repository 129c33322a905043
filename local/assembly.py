"""The synthesized environment: what `cdk synth` makes of `app.py`, read back from the cloud assembly.

A synth takes seconds, so its result is kept under `.local/cdk.out/<digest of its sources>` and used again
while the sources are the same. Runtime code is not among them: locally it runs from the checkout, not
from the image.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
_SOURCES = ("app.py", "cdk.json", "requirements.txt", "runtime/settings.schema.json", "runtime/Dockerfile")
_KEPT_SYNTHS = 3


@dataclass(frozen=True)
class Stack:
    """One stack of the environment."""

    artifact: str
    name: str
    template: dict[str, Any]


@dataclass(frozen=True)
class Assembly:
    """One environment's stacks, those that others depend on first."""

    account: str
    region: str
    stacks: tuple[Stack, ...]


def synthesize(environment: str = "dev") -> Assembly:
    """The environment's stacks, synthesized now or earlier from the same sources.

    Raises RuntimeError with the output of `cdk synth` when that fails.
    """
    directory = LOCAL / "cdk.out" / _digest()
    if not (directory / "manifest.json").exists():
        _synthesize(directory)
        _forget_old_synths(directory.parent)
    return _read(directory / f"assembly-{environment}")


def _digest() -> str:
    digest = hashlib.sha256()
    sources = [ROOT / name for name in _SOURCES] + sorted((ROOT / "stacks").rglob("*.py"))
    for source in sources:
        if source.exists():
            digest.update(str(source.relative_to(ROOT)).encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _synthesize(directory: Path) -> None:
    # Into a place of its own and then renamed, so that a second process never reads half a synth.
    building = directory.with_name(f"{directory.name}.{os.getpid()}")
    building.parent.mkdir(parents=True, exist_ok=True)
    binaries = [str(ROOT / "node_modules" / ".bin"), str(Path(sys.executable).parent)]
    environment = os.environ | {"PATH": os.pathsep.join([*binaries, os.environ.get("PATH", "")])}
    try:
        result = subprocess.run(
            ["cdk", "synth", "--quiet", "--output", str(building)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise RuntimeError("the CDK's command line is missing; `make setup` installs it") from error
    if result.returncode:
        shutil.rmtree(building, ignore_errors=True)
        raise RuntimeError(f"cdk synth failed ({result.returncode}):\n{result.stdout}{result.stderr}")
    try:
        building.rename(directory)
    except OSError:
        # Another process was first with the same sources.
        shutil.rmtree(building)


def _forget_old_synths(parent: Path) -> None:
    directories = sorted(parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for directory in directories[_KEPT_SYNTHS:]:
        shutil.rmtree(directory, ignore_errors=True)


def _read(directory: Path) -> Assembly:
    artifacts = json.loads((directory / "manifest.json").read_text())["artifacts"]
    stacks = {key: value for key, value in artifacts.items() if value["type"] == "aws:cloudformation:stack"}
    if not stacks:
        raise RuntimeError(f"{directory} holds no stacks")
    _, _, where = next(iter(stacks.values()))["environment"].partition("aws://")
    account, _, region = where.partition("/")
    ordered: list[str] = []

    def visit(key: str) -> None:
        if key in stacks and key not in ordered:
            for dependency in stacks[key].get("dependencies", ()):
                visit(dependency)
            ordered.append(key)

    for key in stacks:
        visit(key)
    return Assembly(account, region, tuple(_stack(directory, key, stacks[key]) for key in ordered))


def _stack(directory: Path, key: str, artifact: dict[str, Any]) -> Stack:
    properties = artifact["properties"]
    template = json.loads((directory / properties["templateFile"]).read_text())
    return Stack(key, properties.get("stackName", key), template)
