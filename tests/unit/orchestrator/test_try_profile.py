"""Trying a vendor's profile from the shell: what is said of a good one, a wrong field, and none."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.export_api.archives import Blob
from local.export_api.catalogue import Catalogue, Export, ExportFile
from local.export_api.server import ExportApiServer
from stacks.profiles import PROFILES
from tests.stacks.conftest import ROOT


@pytest.fixture
def vendor() -> Iterator[ExportApiServer]:
    files = [
        ExportFile(file_id=str(900 + number), name=f"{number}.zip", archive=Blob(b"zip"))
        for number in range(3)
    ]
    exports = Catalogue.of([Export("4711", files)])
    with ExportApiServer(exports, token="t", profile="artifacts") as server:
        yield server


def tried(folder: Path, server: ExportApiServer, *arguments: str, **changes: str) -> tuple[int, str]:
    """Exit code and output, with the profile `artifacts` changed like this."""
    told = PROFILES["artifacts"].settings() | {
        "EXPORT_API_BASE_URL": server.base_url,
        "EXPORT_API_PAGE_SIZE": "2",
    }
    (folder / "env.json").write_text(json.dumps(told | changes))
    (folder / "secret.json").write_text('{"token": "t"}')
    ended = subprocess.run(
        [sys.executable, "-m", "runtime.orchestrator.try_profile", str(folder / "env.json"), *arguments,
         "--secret-file", str(folder / "secret.json")],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return ended.returncode, ended.stdout + ended.stderr


def test_a_good_profile_is_read_field_by_field(tmp_path: Path, vendor: ExportApiServer) -> None:
    code, said = tried(tmp_path, vendor, "4711")
    assert code == 0, said
    for sentence in (
        "gave 'success'",
        "Page 1: 2 files, 0 records rejected",
        "file_id      900   (id)",
        "size         3   (size_in_bytes)",
        "(archive_download_url)",
        "next page by link-header: ",
        "The listing ends here: 3 files on 2 pages, 0 records rejected",
        "The first file again, by itself:",
    ):
        assert sentence in said, said


def test_a_wrong_field_is_named_with_what_it_spoils(tmp_path: Path, vendor: ExportApiServer) -> None:
    code, said = tried(tmp_path, vendor, "4711", EXPORT_API_FILE_ID_FIELD="uuid")
    assert code == 1
    assert "rejected: record 1 of the page: file_id: Field required" in said
    code, said = tried(tmp_path, vendor, "4711", EXPORT_API_STATUS_WORDS='{"done": "completed"}')
    assert code == 1
    assert "the job's status is 'success', not one of done" in said
    code, said = tried(tmp_path, vendor, "unknown")
    assert code == 1
    assert "NotFound: GET /repos/acme/exports/actions/runs/unknown answers 404" in said


def test_what_is_no_profile_or_no_environment_says_so(tmp_path: Path, vendor: ExportApiServer) -> None:
    code, said = tried(tmp_path, vendor, "4711", EXPORT_API_STATUS_FIELD="a[")
    assert code == 2
    assert "EXPORT_API_STATUS_FIELD" in said
    assert "not a JMESPath expression" in said
    ended = subprocess.run(
        [sys.executable, "-m", "runtime.orchestrator.try_profile", "dev", "J", "--app", str(tmp_path)],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "run `cdk synth` first" in ended.stderr
