"""The synthesized environment: what `cdk synth` makes of `app.py`, read back from the cloud assembly.

A synth takes seconds, so its result is kept under `.local/cdk.out/<digest of its sources>` and used again
while the sources are the same. Runtime code is not among them: locally it runs from the checkout, not
from the image.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ops.assembly import synth
from ops.assembly.load import in_order, load_assembly
from ops.assembly.model import Stack

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
_SOURCES = ("app.py", "cdk.json", "requirements.txt", "runtime/settings.schema.json", "runtime/Dockerfile")
_KEPT_SYNTHS = 3


@dataclass(frozen=True)
class Environment:
    """One environment's stacks, those that others depend on first."""

    account: str
    region: str
    stacks: tuple[Stack, ...]


def synthesize(environment: str = "dev") -> Environment:
    """The environment's stacks, synthesized now or earlier from the same sources.

    Raises AssemblyError with the last words of `cdk synth` when that fails.
    """
    directory = LOCAL / "cdk.out" / _digest()
    if not (directory / "manifest.json").exists():
        _synthesize(directory)
        _forget_old_synths(directory.parent)
    stacks = in_order(load_assembly(directory), environment)
    return Environment(stacks[0].account, stacks[0].region, stacks)


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
    try:
        synth.synthesize(ROOT, building)
        building.rename(directory)
    except OSError:
        # Another process was first with the same sources.
        if not directory.exists():
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _forget_old_synths(parent: Path) -> None:
    directories = sorted(parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for directory in directories[_KEPT_SYNTHS:]:
        shutil.rmtree(directory, ignore_errors=True)
