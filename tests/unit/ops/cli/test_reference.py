"""What docs/ops says of the commands is generated, complete, and what they really print."""

import json

import jsonschema
import pytest

from ops.cli.app import app
from ops.cli.dlq import app as dlq_app
from ops.cli.reference import DOCUMENTS, FOLDER, files
from ops.fleet.permissions import READS, WRITES
from tests.unit.ops.conftest import Ops
from tests.unit.ops.site import Site

SAID = (
    "status job",
    "jobs",
    "why job",
    "missing job",
    "circuits",
    "verify job",
    "pause worker",
    "resume worker",
    "dlq list",
    "dlq show",
    "dlq redrive --dry-run",
    "dlq drop --all --dry-run",
    "submit job-2",
    "retry job",
)


def test_the_generated_files_are_those_in_the_repository() -> None:
    stale = [str(path) for path, text in files() if not path.exists() or path.read_text() != text]
    assert not stale, "run: python -m ops.cli.reference"


def test_every_command_is_in_the_tables_and_in_the_readme() -> None:
    names = {str(one.name or one.callback.__name__) for one in app.registered_commands if one.callback}
    parked = {
        f"dlq {one.name or one.callback.__name__.rstrip('_')}"
        for one in dlq_app.registered_commands
        if one.callback
    }
    commands = names | parked
    assert READS.keys() | WRITES.keys() == commands - {"preflight"}
    readme = (FOLDER / "README.md").read_text()
    assert [name for name in sorted(commands) if f"`{name}" not in readme] == []


@pytest.mark.parametrize("words", SAID)
def test_a_document_is_as_its_schema_says(site: Site, ops: Ops, words: str) -> None:
    site.listed("job", ["f0", "f1"])
    site.done("job", "f0", **{"rejected:no-metadata": 1})
    site.put_lines("manifests/job/missing.jsonl", [{"path": "a.csv", "reason": "not-in-any-archive"}])
    site.ended(site.parked("job", "f1", "not-a-zip"), "failed", 3, 1)
    name = " ".join(words.split()[: 2 if words.startswith("dlq") else 1])
    assert name in DOCUMENTS
    schema = json.loads((FOLDER / "schemas" / f"{name.replace(' ', '-')}.schema.json").read_text())
    answer = ops(*words.split(), "--json")
    assert answer.code in (0, 1), answer.error
    jsonschema.validate(answer.document, schema)
    required = schema["required"]
    assert set(required) <= answer.document.keys()
