"""What planning holds in memory does not grow with an archive's entries: seen from outside, in a process."""

import json
import subprocess
import sys
from typing import Any

MIB = 1024 * 1024
ENTRIES = 40_000
DIRECTORY_BYTES = 246 * ENTRIES


def report(*arguments: str) -> tuple[int, dict[str, Any]]:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.planning_memory", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.stdout, run.stderr
    return run.returncode, json.loads(run.stdout)


def test_several_huge_directories_take_little_more_than_none() -> None:
    code, found = report("--archives", "3", "--entries", str(ENTRIES))
    assert (code, found["entries"]) == (0, 3 * ENTRIES)
    grown = (found["resident_peak_mib"] - found["resident_before_mib"]) * MIB
    # 10 MiB are granted to each that plans. Held as Python objects, an entry would take more than 1 KiB.
    assert grown < 3 * 20 * MIB < 3 * ENTRIES * 1_024


def test_more_than_the_limit_is_said() -> None:
    code, found = report("--archives", "1", "--entries", "1000", "--limit-mib", "1")
    assert (code, found["limit_mib"]) == (1, 1)
