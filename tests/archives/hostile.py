"""What must hold for any bytes at all: shared by the hypothesis tests and the long fuzzing campaign."""

import unicodedata
import zlib

from runtime.shared.contracts import ParkReason
from runtime.worker.archive import Limits
from tests.archives.cases.case import READ
from tests.archives.examine import Finding, examine

# Small, so that going over them is common and an archive costs little to read.
LIMITS = Limits(
    max_entries=100,
    max_directory_bytes=64 * 1024,
    max_entry_bytes=256 * 1024,
    max_ratio=100,
    max_name_bytes=64,
    max_depth=4,
    ratio_floor_bytes=1024,
)


def check(content: bytes, piece: int = 37) -> list[Finding] | ParkReason:
    """Read it; no exception but the reader's own, and nothing out that was not verified."""
    found = examine(content, LIMITS, piece)
    if isinstance(found, ParkReason):
        return found
    assert len(found) <= LIMITS.max_entries
    published: set[str] = set()
    for one in found:
        if one.outcome == READ:
            _check_bytes(one)
            check_name(one.entry.name)
            key = unicodedata.normalize("NFC", one.entry.name)
            assert key not in published
            published.add(key)
    # No byte of the archive is given out twice.
    taken = sum(one.entry.compressed_size for one in found if one.outcome == READ)
    assert taken <= len(content)
    return found


def _check_bytes(one: Finding) -> None:
    size = len(one.data)
    assert (size, zlib.crc32(one.data)) == (one.entry.size, one.entry.crc32)
    assert size <= LIMITS.max_entry_bytes
    assert size <= max(LIMITS.ratio_floor_bytes, LIMITS.max_ratio * one.entry.compressed_size)


def check_name(name: str) -> None:
    assert 0 < len(name.encode("utf-8")) <= LIMITS.max_name_bytes
    segments = name.split("/")
    assert len(segments) <= LIMITS.max_depth + 1
    assert not {"", ".", ".."} & set(segments)
    assert name[1:2] != ":" or not name[0].isalpha() or not name[0].isascii()
    assert "\\" not in name
    assert not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name)
