"""Each MUST, SHOULD and MAY of the decision record is answered: where it is and which test shows it, or why
not, with a figure.
"""

import re

import pytest

from ops.reference.commands import verbs
from tests.docs.pages import ROOT

ASKED = {"MUST": 8, "SHOULD": 9, "MAY": 8}
ROW = re.compile(r"^\| ((?:MUST|SHOULD|MAY) \d) \|([^|]*)\|([^|]*)\|([^|]*)\|$", re.MULTILINE)
ROWS = {
    name: (what.strip(), where.strip(), shown.strip())
    for name, what, where, shown in ROW.findall((ROOT / "docs/explanation/decision-record.md").read_text())
}
VERBS = {verb.strip("`") for verb, _ in verbs()}


def test_all_that_it_asks_for_is_answered() -> None:
    assert set(ROWS) == {f"{kind} {number + 1}" for kind, count in ASKED.items() for number in range(count)}


@pytest.mark.parametrize("name", ROWS)
def test_an_answer_names_where_it_is_or_why_not_with_a_figure(name: str) -> None:
    _, where, shown = ROWS[name]
    if where.startswith("no"):
        assert not name.startswith("MUST")
        assert re.search(r"\d", where), "a reason without a figure"
    else:
        assert _named(where) or "](" in where, "it says nowhere where this is"
    assert _named(shown), "nothing shows it"
    for path in [*_named(where), *_named(shown)]:
        assert path in VERBS or (ROOT / path).exists(), f"{path} is not there"
    for path in _named(shown):
        if path.endswith(".py"):
            assert "\ndef test_" in (ROOT / path).read_text(), f"{path} holds no test"


def _named(cell: str) -> list[str]:
    return [word for word in re.findall(r"`([^`]+)`", cell) if "/" in word or word.startswith("make ")]
