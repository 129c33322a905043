"""Which tests share a process: those of a directory that owns something dear, else those of a file.

pytest-xdist's own groups are not heeded under this pytest, so the schedule is made here.
"""

from typing import Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

# One platform, one synth, one benchmark at a time: two processes would pay twice, or fight over a folder.
SHARED = ("tests/e2e/", "tests/faults/", "tests/stacks/", "tests/benchmarks/")


class ByOwner(LoadScopeScheduling):
    """Hands out whole directories that share something, and single files otherwise."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in SHARED if file.startswith(folder)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByOwner:
    return ByOwner(config, log)
