"""Each way in which an object can lack what the metadata says, and thousands of objects."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.fleet.verification import verify
from tests.unit.ops.conftest import Ops
from tests.unit.ops.site import Site

ROOT = Path(__file__).parents[4]
JOB = "job-v"


def item(site: Site, path: str, **more: Any) -> None:
    site.fleet.client("dynamodb").put_item(
        TableName=site.fleet.output("MetadataTableName"),
        Item={"export_job_id": {"S": JOB}, "file_path": {"S": path}, **more},
    )


def absent(site: Site) -> None:
    site.expect(JOB, {"a": b"alpha"})


def shorter(site: Site) -> None:
    site.expect(JOB, {"a": b"alpha"})
    site.put(f"exports/{JOB}/a", b"alph")


def other_bytes(site: Site) -> None:
    site.expect(JOB, {"a": b"alpha"})
    site.put(f"exports/{JOB}/a", b"alphb")


def written_by_somebody_else(site: Site) -> None:
    site.expect(JOB, {"a": b"alpha"})
    site.put(f"exports/{JOB}/a", b"alpha", Metadata={})


def sent_elsewhere_and_not_there(site: Site) -> None:
    item(site, "a", size={"N": "5"}, destination_key={"S": "elsewhere/a"})


def no_usable_size(site: Site) -> None:
    item(site, "a", size={"S": "five"})


def there(site: Site) -> None:
    site.expect(JOB, {"a": b"alpha"})
    site.put(f"exports/{JOB}/a", b"alpha")


def there_elsewhere(site: Site) -> None:
    item(site, "a", size={"N": "5"}, destination_key={"S": "elsewhere/a"})
    site.put("elsewhere/a", b"alpha")


def there_without_a_digest(site: Site) -> None:
    item(site, "a", size={"N": "5"})
    site.put(f"exports/{JOB}/a", b"alpha", Metadata={})


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (absent, "absent"),
        (shorter, "size-differs"),
        (other_bytes, "checksum-differs"),
        (written_by_somebody_else, "checksum-unknown"),
        (sent_elsewhere_and_not_there, "absent"),
        (no_usable_size, "invalid-metadata"),
        (there, None),
        (there_elsewhere, None),
        (there_without_a_digest, None),
    ],
)
def test_what_lacks_is_named(site: Site, happens: Any, reason: str | None) -> None:
    happens(site)
    found = verify(site.fleet, JOB)
    assert found.by_reason == ({} if reason is None else {reason: 1})
    assert found.expected == 1
    assert found.whole is (reason is None)


def test_a_job_that_expects_nothing_is_whole(site: Site, ops: Ops) -> None:
    answer = ops("verify", "job-none", "--json")
    assert (answer.code, answer.document["expected"]) == (0, 0)


def test_some_thousands_are_each_asked_for_once_without_a_download() -> None:
    """The server of the benchmark knows listings and HEADs, and no other way to an object."""
    command = [sys.executable, "-m", "benchmarks.verification", "3000", "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3,000 objects in ")
