"""The results for each file of an archive, as compact rows that may lie on the scratch disk.

A row has the entry's outcome and, while the entry is wanted or in S3, what the metadata says of it; of a
refused one its reason instead. Everything else is read from the directory again when a line is written.
"""

import struct
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive import Directory, Entry, EntryJudgement
from runtime.worker.archive.workspace import column
from runtime.worker.plan.metadata import Expected

# Outcome, whether there is a SHA-256, length of the text, its offset, SHA-256.
_ROW = struct.Struct("<B?2xLQ32s")
_Row = tuple[int, bool, int, int, bytes]
_NO_SHA256 = bytes(32)
_OPEN, _PASSED_OVER, _FIRST = 0, 1, 2
_OUTCOMES = tuple(EntryOutcome)
_CODES = {outcome: code for code, outcome in enumerate(_OUTCOMES, _FIRST)}
_MOST_SHARED_TEXTS = 256
_LET_GO_EVERY = 4_096


class EntryResult(NamedTuple):
    """The result for one entry: a line of the entries manifest."""

    entry: Entry
    outcome: EntryOutcome
    detail: str | None = None
    sha256: str | None = None
    key: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class OpenResult:
    """An entry whose outcome is still to come; any thread may say it."""

    results: "Results"
    entry: Entry

    def uploaded(self) -> None:
        self.results.settle(self.entry, EntryOutcome.UPLOADED)

    def rejected(self, outcome: EntryOutcome, detail: str) -> None:
        self.results.refuse(self.entry, outcome, detail)


class Results:
    """The files among the entries [first, last) of a directory; iterated in its order."""

    def __init__(
        self, directory: Directory, judgement: EntryJudgement, first: int, last: int, key_prefix: str
    ) -> None:
        self.directory = directory
        self.first = first
        self.last = last
        self._judgement = judgement
        self._prefix = key_prefix
        self._rows = column(directory.workspace, "B", _ROW.size * (last - first))
        self._texts = directory.workspace.spill()
        self._shared: dict[str, tuple[int, int]] = {}
        self._shared_at: dict[int, str] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.last - self.first

    def pass_over(self, entry: Entry) -> None:
        """It is no file of its own: no line is written for it."""
        self._put(entry, _PASSED_OVER, False, "", _NO_SHA256)

    def refuse(self, entry: Entry, outcome: EntryOutcome, detail: str | None) -> None:
        self._put(entry, _CODES[outcome], False, detail or "", _NO_SHA256)

    def expect(self, entry: Entry, expected: Expected) -> None:
        """It is wanted, unless it is found in S3."""
        text = f"{expected.content_type}\n{expected.destination_key or ''}"
        sha256 = bytes.fromhex(expected.sha256) if expected.sha256 is not None else _NO_SHA256
        self._put(entry, _OPEN, expected.sha256 is not None, text, sha256)

    def settle(self, entry: Entry, outcome: EntryOutcome) -> None:
        """It is in S3."""
        self._rows[_ROW.size * (entry.index - self.first)] = _CODES[outcome]

    def is_open(self, index: int) -> bool:
        return self._rows[_ROW.size * (index - self.first)] == _OPEN

    def open_indices(self) -> Iterator[int]:
        """In the directory's order."""
        codes = self._rows[:: _ROW.size]
        return (index for index, code in enumerate(codes, self.first) if code == _OPEN)

    def expected(self, entry: Entry) -> Expected:
        """The metadata of an entry that is wanted or in S3."""
        return self._expected(entry, self._row(entry.index))

    def _expected(self, entry: Entry, row: "_Row") -> Expected:
        _code, has_sha256, length, offset, sha256 = row
        content_type, _, destination = self._text(offset, length).partition("\n")
        return Expected(entry.size, sha256.hex() if has_sha256 else None, content_type, destination or None)

    def key(self, entry: Entry, expected: Expected) -> str:
        return expected.destination_key or self._prefix + entry.name

    def outcomes(self) -> dict[EntryOutcome, int]:
        """How many files have which outcome."""
        counted = Counter(self._rows[:: _ROW.size])
        return {_OUTCOMES[code - _FIRST]: count for code, count in counted.items() if code >= _FIRST}

    def names_in_s3(self) -> Iterator[str]:
        """In the directory's order."""
        in_s3 = {_CODES[outcome] for outcome in _OUTCOMES if outcome.in_s3}
        for index, code in enumerate(self._rows[:: _ROW.size], self.first):
            if code in in_s3:
                yield self.directory.name(index)
            if index % _LET_GO_EVERY == 0:
                self.directory.workspace.let_go()

    def __iter__(self) -> Iterator[EntryResult]:
        for entry in self.directory.entries(self.first, self.last):
            row = code, _has_sha256, length, offset, _sha256 = self._row(entry.index)
            if code < _FIRST:
                continue
            outcome, note = _OUTCOMES[code - _FIRST], self._judgement.note(entry)
            if outcome.in_s3:
                expected = self._expected(entry, row)
                yield EntryResult(entry, outcome, None, expected.sha256, self.key(entry, expected), note)
            else:
                yield EntryResult(entry, outcome, self._text(offset, length) or None, note=note)

    def _row(self, index: int) -> "_Row":
        row: _Row = _ROW.unpack_from(self._rows, _ROW.size * (index - self.first))
        return row

    def _put(self, entry: Entry, code: int, has_sha256: bool, text: str, sha256: bytes) -> None:
        offset, length = (self._shared.get(text) or self._keep(text)) if text else (0, 0)
        _ROW.pack_into(
            self._rows, _ROW.size * (entry.index - self.first), code, has_sha256, length, offset, sha256
        )

    def _keep(self, text: str) -> tuple[int, int]:
        """Where the text lies; the commonest lie there once."""
        with self._lock:
            if (kept := self._shared.get(text)) is not None:
                return kept
            encoded = text.encode("utf-8", "surrogatepass")
            place = self._texts.append(encoded), len(encoded)
            if len(self._shared) < _MOST_SHARED_TEXTS:
                self._shared[text], self._shared_at[place[0]] = place, text
            return place

    def _text(self, offset: int, length: int) -> str:
        if not length:
            return ""
        if (shared := self._shared_at.get(offset)) is not None:
            return shared
        with self._lock:
            return self._texts.read(offset, length).decode("utf-8", "surrogatepass")
