"""The pages for people keep up with what is synthesized."""

import re

import pytest

from ops.reference.__main__ import files
from stacks.resource_table import render
from tests.stacks.conftest import ROOT

RUNBOOK = "docs/runbook.md"
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def anchors() -> set[str]:
    """As GitHub makes them of the runbook's headings."""
    headings = HEADING.findall((ROOT / RUNBOOK).read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_alarm_has_its_section_and_every_section_an_alarm(deployment):
    linked = {}
    for alarm in deployment.of_type("AWS::CloudWatch::Alarm"):
        page = re.escape(deployment.environment.runbook_url)
        found = re.search(rf" {page}#([\w-]+)$", alarm.properties["AlarmDescription"])
        assert found, f"{alarm.path} has no link to its section of the runbook"
        linked[alarm.path] = found[1]

    assert set(linked.values()) == anchors()


@pytest.mark.parametrize("question", ["What it means", "What to look at", "What to do"])
def test_every_section_answers_three_questions(question):
    sections = HEADING.split((ROOT / RUNBOOK).read_text())[1:]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        assert f"**{question}.**" in body, f"{title}: {question}?"


def test_the_resource_table_is_fresh(assembly):
    assert (ROOT / "docs" / "resources.md").read_text() == render(assembly), "run `make docs`"


def test_the_generated_reference_is_fresh(assembly):
    """`make generate` writes it."""
    stale = [
        path.name for path, text in files(assembly).items() if not path.exists() or path.read_text() != text
    ]
    assert not stale
