"""What is said where no engine can be had: one line, and the rehearsal passes unless it is required."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.assembly import ROOT
from local.rehearsal.engine_client import SCRIPTS, NoEngine, started_engine


def _rehearse(path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "local.rehearsal", *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": str(path)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--engine-required",), 1)])
def test_without_an_engine_one_line_says_what_is_missing(
    tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    done = _rehearse(tmp_path, *arguments)
    assert done.returncode == code
    (line,) = [line for line in done.stdout.splitlines() if "not rehearsed" in line]
    assert "apt-get install docker.io docker-registry mmdebstrap" in line


def test_an_engine_that_does_not_start_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dockerd", "docker-registry", "unshare"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name}: not permitted >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("local.rehearsal.engine_client.os.geteuid", lambda: 0)
    with pytest.raises(NoEngine, match="unshare: not permitted"), started_engine(tmp_path / "engine.log"):
        pass


def test_the_installer_says_in_one_line_why_it_cannot(tmp_path: Path) -> None:
    for name in ("bash", "id"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    done = subprocess.run(
        [str(SCRIPTS / "install")],
        env={"PATH": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "no container engine: it needs root and Debian's docker.io docker-registry mmdebstrap"
    ]
