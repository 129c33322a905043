"""The bill of materials of the image, and whether any of it is known to be vulnerable.

    python -m ops.supply_chain sbom FILE      CycloneDX, from the image's lock
    python -m ops.supply_chain audit          pip-audit of the same lock

A known vulnerability fails the audit unless a waiver names it, with a reason and a last day of at most ninety
days ahead; an expired waiver fails it, and so does one that matches nothing. A package that the advisory
database could not be asked about fails it too: silence is no finding.

Exit codes: 0 clean, 1 findings, 2 the tools or the waiver file cannot be used.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "runtime" / "requirements.txt"
WAIVERS = ROOT / ".github" / "vulnerability-waivers.toml"
LONGEST = timedelta(days=90)
_BESIDE_PYTHON = Path(sys.executable).parent


class AuditWaiver(BaseModel):
    """One [[waiver]] table: a vulnerability that is known and does not hold a release back for a while."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(min_length=1)]
    package: Annotated[str, StringConstraints(min_length=1)]
    reason: Annotated[str, StringConstraints(min_length=20, strip_whitespace=True)]
    expires: date


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    waiver: Annotated[list[AuditWaiver], Field(default_factory=list)]


@dataclass(frozen=True)
class Vulnerability:
    """One advisory about one locked package."""

    package: str
    version: str
    ids: tuple[str, ...]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        mend = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no fixed version yet"
        return f"{self.package} {self.version}: {'/'.join(self.ids)} ({mend})"


class CannotAudit(RuntimeError):
    """A tool failed or its answer, or the waiver file, cannot be read."""


def read_audit_waivers(path: Path) -> list[AuditWaiver]:
    """Raises CannotAudit that names the field at fault."""
    try:
        return _File.model_validate(tomllib.loads(path.read_text())).waiver
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise CannotAudit(f"{path}: {error}") from error


def problems(report: dict[str, Any], waivers: Sequence[AuditWaiver], today: date) -> list[str]:
    """The findings that keep an audit from passing, a sentence each. `report` is pip-audit's JSON."""
    found = [
        Vulnerability(
            entry["name"],
            entry["version"],
            (advisory["id"], *advisory.get("aliases", ())),
            tuple(advisory.get("fix_versions", ())),
        )
        for entry in report["dependencies"]
        for advisory in entry.get("vulns", ())
    ]
    unasked = [entry["name"] for entry in report["dependencies"] if "skip_reason" in entry]
    said = [f"not audited: {', '.join(unasked)}"] if unasked else []
    for waiver in waivers:
        if waiver.expires < today:
            said.append(f"the waiver of {waiver.id} in {waiver.package} expired on {waiver.expires}")
        elif waiver.expires - today > LONGEST:
            said.append(f"the waiver of {waiver.id} lasts longer than {LONGEST.days} days")
        if not any(_waives(waiver, vulnerability) for vulnerability in found):
            said.append(f"the waiver of {waiver.id} in {waiver.package} matches nothing: remove it")
    return said + [
        str(vulnerability)
        for vulnerability in found
        if not any(_waives(waiver, vulnerability) for waiver in waivers)
    ]


def _waives(waiver: AuditWaiver, vulnerability: Vulnerability) -> bool:
    return waiver.package == vulnerability.package and waiver.id in vulnerability.ids


def audit(command: Sequence[str]) -> dict[str, Any]:
    """pip-audit's report of the lock. Raises CannotAudit."""
    options = ("--requirement", str(LOCK), "--require-hashes", "--disable-pip", "--format", "json")
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise CannotAudit(f"pip-audit failed ({done.returncode}): {done.stderr.strip()[-500:]}") from error
    return report


def write_sbom(path: Path) -> None:
    """Raises CannotAudit."""
    command = [str(_BESIDE_PYTHON / "cyclonedx-py"), "requirements", str(LOCK), "--output-reproducible"]
    done = subprocess.run(
        [*command, "--output-format", "JSON", "--output-file", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotAudit(f"cyclonedx-py failed ({done.returncode}): {done.stderr.strip()[-500:]}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ops.supply_chain", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("sbom").add_argument("file", type=Path)
    verbs.add_parser("audit")
    options = parser.parse_args(arguments)
    try:
        if options.verb == "sbom":
            write_sbom(options.file)
            return 0
        report = audit([str(_BESIDE_PYTHON / "pip-audit")])
        found = problems(report, read_audit_waivers(WAIVERS), datetime.now(UTC).date())
    except CannotAudit as error:
        print(f"supply chain: {error}", file=sys.stderr)
        return 2
    for line in found:
        print(line)
    print(f"{len(report['dependencies'])} packages, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
