"""The synthesized templates are those that were reviewed."""

import difflib

from ops.golden import GOLDEN, golden_files


def test_the_templates_are_the_golden_ones(assembly):
    reviewed = {
        str(path.relative_to(GOLDEN)): path.read_text(encoding="utf-8") for path in GOLDEN.glob("*/*.json")
    }
    synthesized = golden_files(assembly)
    changes = [
        line
        for name in sorted(reviewed.keys() | synthesized.keys())
        for line in difflib.unified_diff(
            reviewed.get(name, "").splitlines(),
            synthesized.get(name, "").splitlines(),
            f"tests/golden/{name}",
            "synthesized",
            lineterm="",
        )
    ]
    assert not changes, "\n".join(
        ["the templates differ from tests/golden; if that is meant: make golden", *changes[:80]]
    )
