"""`python -m runtime.worker.archive FILE.zip` says what would become of an archive and each entry."""

import subprocess
import sys

import pytest

from tests.archives.build import CORPUS


@pytest.mark.parametrize(
    ("file", "code", "said"),
    [
        ("deflate", 0, ("read", "a.txt", "1 entries")),
        ("folder", 0, ("passed-over", "(a folder)", "2 entries")),
        ("name-control", 1, ("unsafe-name", r"'a\nb.txt'", "control character", "good.txt")),
        ("crc-deflate", 1, ("corrupt-data", "its CRC-32 is 1e0987f2", "good.txt")),
        ("behind-newline", 0, ("note: 2 bytes follow the end of the archive",)),
        ("pipe", 0, ("(made from a pipe)",)),
        ("two-archives", 2, ("refused: invalid-archive: ",)),
        ("not-a-zip", 2, ("refused: not-a-zip: ",)),
    ],
)
def test_the_verdict_is_printed(file: str, code: int, said: tuple[str, ...]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "runtime.worker.archive", str(CORPUS / f"{file}.zip")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code, run.stderr
    for text in said:
        assert text in run.stdout
    assert not run.stderr


@pytest.mark.parametrize("arguments", [[], ["one.zip", "two.zip"]])
def test_how_it_is_called(arguments: list[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "runtime.worker.archive", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert "FILE.zip" in run.stderr
