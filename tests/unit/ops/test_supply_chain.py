"""The audit's verdicts, and an SBOM of the image's lock by the real tool."""

import json
import re
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ops import supply_chain
from ops.supply_chain import AuditWaiver, CannotAudit

TODAY = date(2026, 11, 25)


def package(name: str, *ids: str) -> dict[str, Any]:
    advisories = [{"id": ids[0], "aliases": list(ids[1:]), "fix_versions": ["2.0"]}] if ids else []
    return {"name": name, "version": "1.0", "vulns": advisories}


def waiver(expires: date = date(2026, 12, 31)) -> AuditWaiver:
    return AuditWaiver(id="CVE-1", package="a", reason="it is reached by no input of ours", expires=expires)


@pytest.mark.parametrize(
    ("packages", "waivers", "said"),
    [
        ([package("a")], [], []),
        ([package("a", "GHSA-1", "CVE-1")], [], ["a 1.0: GHSA-1/CVE-1 (fixed in 2.0)"]),
        ([package("a", "GHSA-1", "CVE-1")], [waiver()], []),
        ([package("b", "GHSA-1", "CVE-1")], [waiver()], ["matches nothing", "b 1.0"]),
        ([package("a", "CVE-1")], [waiver(date(2026, 11, 24))], ["expired on 2026-11-24"]),
        ([package("a", "CVE-1")], [waiver(date(2027, 11, 24))], ["longer than 90 days"]),
        ([package("a")], [waiver()], ["matches nothing"]),
        ([{"name": "a", "skip_reason": "not found"}], [], ["not audited: a"]),
    ],
)
def test_what_keeps_an_audit_from_passing(
    packages: list[dict[str, Any]], waivers: list[AuditWaiver], said: list[str]
) -> None:
    found = supply_chain.problems({"dependencies": packages}, waivers, TODAY)
    assert len(found) == len(said)
    for line, part in zip(found, said, strict=True):
        assert part in line


def test_a_tool_that_answers_nonsense_is_no_pass() -> None:
    with pytest.raises(CannotAudit, match=r"failed \(3\): no network"):
        supply_chain.audit([sys.executable, "-c", "import sys; sys.stderr.write('no network'); sys.exit(3)"])


def test_a_waiver_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text('[[waiver]]\nid = "CVE-1"\npackage = "a"\nreason = "later"\nexpires = 2026-12-31\n')
    with pytest.raises(CannotAudit, match="reason"):
        supply_chain.read_audit_waivers(path)


def test_the_waiver_file_can_be_read() -> None:
    assert supply_chain.read_audit_waivers(supply_chain.WAIVERS) == []


def test_the_sbom_names_every_locked_package_once(tmp_path: Path) -> None:
    path = tmp_path / "sbom.json"
    assert supply_chain.main(["sbom", str(path)]) == 0
    document = json.loads(path.read_text())
    assert document["bomFormat"] == "CycloneDX"
    locked = re.findall(r"^([A-Za-z0-9._-]+)==", supply_chain.LOCK.read_text(), re.MULTILINE)
    assert sorted(part["name"] for part in document["components"]) == sorted(locked)
