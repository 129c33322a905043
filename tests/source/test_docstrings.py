"""A docstring's first line is a whole sentence, and opens with the noun it is about."""

import re
from collections.abc import Callable

import pytest

from tests.source.tree import docstrings

FOLDERS = ("runtime", "stacks", "ops", "local")
_ENDS = re.compile(r"[.!?:][)`\"']*$")


def _whole(text: str) -> bool:
    return bool(_ENDS.search(text.partition("\n")[0]))


def _noun_first(text: str) -> bool:
    return not text.startswith("What ")


def _closed(text: str) -> bool:
    """Whether no quotation mark or backtick stands alone: that of a string that was once cut in two."""
    return text.count("`") % 2 == 0 and text.count('"') % 2 == 0


@pytest.mark.parametrize("rule", [_whole, _noun_first, _closed])
def test_every_docstring_keeps_to(rule: Callable[[str], bool]) -> None:
    found = list(docstrings(*FOLDERS))
    assert len(found) > 1_000
    broken = [f"{place}: {text.partition(chr(10))[0]}" for place, text in found if not rule(text)]
    assert not broken, "\n".join(broken)
