"""A site of its own for each test, and the command line run against it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from ops.cli import session
from ops.cli.app import main
from tests.unit.conftest import REGION, Aws
from tests.unit.ops.site import NAME, Site


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit code."""

    code: int
    out: str
    error: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Ops = Callable[..., Answer]


@pytest.fixture(scope="session")
def operators(aws: Aws) -> tuple[boto3.Session, dict[str, Any]]:
    """The session and clients that all sites share."""
    return boto3.Session("test", "test", region_name=REGION), {}


@pytest.fixture
def site(aws: Aws, operators: tuple[boto3.Session, dict[str, Any]], tmp_path: Path) -> Site:
    shared, clients = operators
    return Site.create(shared, aws.url, tmp_path, clients)


@pytest.fixture
def ops(site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ops:
    """Run `export-ops` as a new on-call person would: by the words they type."""
    monkeypatch.setattr(session, "find", lambda name: {NAME: site.fleet}[name])

    def run(*words: str) -> Answer:
        capsys.readouterr()
        code = main(["--env", NAME, *words])
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run
