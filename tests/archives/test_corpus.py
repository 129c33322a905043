"""Every file of the corpus has the outcome that its README gives, however its bytes arrive."""

import zlib

import pytest

from runtime.shared.contracts import ParkReason
from tests.archives.build import CORPUS, README, path_of, readme
from tests.archives.cases import CASES, READ, Case
from tests.archives.examine import examine, notes


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_the_outcome_is_as_listed(case: Case) -> None:
    content = path_of(case).read_bytes()
    assert content == case.content, "the corpus is out of date: python -m tests.archives.build"
    for piece in (1, 37, 1 << 20):
        found = examine(content, case.limits, piece)
        if isinstance(found, ParkReason):
            assert found == case.expected
            continue
        assert tuple(one.outcome for one in found) == case.expected, [one.detail for one in found]
        said = "; ".join([notes(content, case.limits), *(one.note for one in found if one.note)])
        assert case.noted in said if case.noted else not notes(content, case.limits)
        if case.names is not None:
            assert tuple(one.entry.name for one in found) == case.names
        for one in found:
            if one.outcome == READ:
                assert (len(one.data), zlib.crc32(one.data)) == (one.entry.size, one.entry.crc32)
            else:
                assert one.detail


def test_the_list_is_complete() -> None:
    assert {path.name for path in CORPUS.iterdir()} == {path_of(case).name for case in CASES}
    assert README.read_text() == readme(), "the README is out of date: python -m tests.archives.build"
    assert len({case.file for case in CASES}) == len(CASES)
