"""The comparison by name: right on small sets, and a million names in little memory."""

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runtime.worker.count.arrived import Absence, ArrivedEntry, arrived_entries
from runtime.worker.count.expected import ExpectedFile

PATHS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)
_MILLION = """
import resource, sys
from pathlib import Path
from runtime.worker.count.arrived import ArrivedEntry, arrived_entries
from runtime.worker.count.expected import ExpectedFile

def peak_kib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def path(number):
    return f"reports/2026/{number:09d}.json"

before, count = peak_kib(), 1_000_000
with arrived_entries(Path(sys.argv[1])) as arrived:
    for archive in range(2):
        numbers = range(archive, count, 2)
        arrived.add(ArrivedEntry(path(n).encode(), "uploaded", n, None, f"f{archive}") for n in numbers)
    expected = (ExpectedFile(path(n), n, None) for n in range(count + 2))
    print(sum(1 for _ in arrived.absences(expected)), (peak_kib() - before) // 1024)
"""


@given(arrived=st.sets(PATHS), expected=st.sets(PATHS))
def test_what_is_expected_and_has_not_arrived_is_absent(arrived: set[str], expected: set[str]) -> None:
    with arrived_entries(Path("/tmp")) as entries:
        entries.add(ArrivedEntry(path.encode(), "uploaded", 1, None, "f") for path in arrived)
        files = (ExpectedFile(path, 1, None) for path in sorted(expected, key=str.encode))
        assert {absence.path for absence in entries.absences(files)} == expected - arrived


def test_an_entry_of_another_size_or_digest_is_not_the_file(tmp_path: Path) -> None:
    with arrived_entries(tmp_path) as entries:
        entries.add(
            [
                ArrivedEntry(b"digest", "uploaded", 1, "aa", "f"),
                ArrivedEntry(b"none", "already-present", 1, "aa", "f"),
                ArrivedEntry(b"size", "uploaded", 1, "aa", "f"),
                ArrivedEntry(b"twice", "corrupt-data", 1, None, "f"),
                ArrivedEntry(b"twice", "uploaded", 1, "aa", "g"),
            ]
        )
        files = [
            ExpectedFile("digest", 1, "bb"),
            ExpectedFile("none", 1, None),
            ExpectedFile("size", 2, "aa"),
            ExpectedFile("twice", 1, "aa"),
        ]
        assert list(entries.absences(files)) == [
            Absence("digest", "metadata-changed", "f"),
            Absence("size", "metadata-changed", "f"),
        ]
    assert list(tmp_path.iterdir()) == []


def test_a_million_names_are_compared_in_little_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _MILLION, str(tmp_path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    missing, mib = map(int, output.split())
    assert missing == 2
    assert mib < 64
