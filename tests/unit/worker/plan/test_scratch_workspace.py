"""What planning keeps goes to the scratch disk, within its budget, and leaves nothing there."""

import os
from pathlib import Path

import pytest

from runtime.worker.archive.workspace import column
from runtime.worker.fetch.errors import NoScratchSpace
from runtime.worker.fetch.spool import Scratch
from runtime.worker.plan.scratch_workspace import scratch_workspace

MIB = 1024 * 1024


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(tmp_path, 256 * MIB)


@pytest.mark.parametrize("pieces", [3, 50_000])
def test_what_was_appended_is_read_wherever_it_lies(scratch: Scratch, pieces: int) -> None:
    with scratch_workspace(scratch) as workspace:
        spill = workspace.spill()
        places = [spill.append(b"%07d\n" % number) for number in range(pieces)]
        assert places == [8 * number for number in range(pieces)]
        for number in (0, pieces // 2, pieces - 1):
            assert spill.read(places[number], 8) == b"%07d\n" % number
        content = spill.content()
        workspace.let_go()
        assert content[-8:] == b"%07d\n" % (pieces - 1)
        assert content.find(b"0000002") == 16


def test_numbers_are_kept_when_their_pages_are_let_go(scratch: Scratch) -> None:
    with scratch_workspace(scratch) as workspace:
        cells = column(workspace, "Q", 100_000)
        cells[7] = cells[99_999] = (1 << 64) - 1
        workspace.let_go()
        assert (cells[7], cells[8], cells[99_999]) == ((1 << 64) - 1, 0, (1 << 64) - 1)
        assert scratch.tables.in_use > 0
    assert scratch.tables.in_use == 0
    assert not os.listdir(scratch.directory)  # noqa: PTH208 -- only whether there is anything


def test_little_takes_no_disk(scratch: Scratch) -> None:
    with scratch_workspace(scratch) as workspace:
        column(workspace, "B", 1_000)[3] = 1
        assert scratch.tables.in_use == 0


def test_the_budget_holds_and_is_not_waited_for(scratch: Scratch) -> None:
    with scratch_workspace(scratch) as first, scratch_workspace(scratch) as second:
        column(first, "B", 60 * MIB)
        with pytest.raises(NoScratchSpace):
            column(second, "B", 20 * MIB)
    with scratch_workspace(scratch) as third:
        column(third, "B", 20 * MIB)
