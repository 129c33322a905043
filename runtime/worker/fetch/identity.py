"""The identity of an archive from answer to answer, and the range of its bytes that an answer holds."""

import re
from dataclasses import dataclass

from runtime.shared.http.grammar import Head
from runtime.worker.fetch.errors import ArchiveChanged, NoRanges

# RFC 9110, 14.4; units are case-insensitive. Beyond 18 digits nothing is an archive's length.
_NUMBER = r"([0-9]{1,18})"
_CONTENT_RANGE = re.compile(rf"bytes +{_NUMBER}-{_NUMBER}/(?:{_NUMBER}|\*)", re.IGNORECASE)
_UNSATISFIED = re.compile(rf"bytes +\*/{_NUMBER}", re.IGNORECASE)


@dataclass(frozen=True)
class Identity:
    """The identity of an archive: its length and its validators."""

    size: int
    etag: str | None
    last_modified: str | None

    @classmethod
    def of(cls, head: Head, size: int) -> "Identity":
        return cls(size, head.headers.get("etag"), head.headers.get("last-modified"))

    @property
    def if_range(self) -> str | None:
        """A validator strong enough for If-Range."""
        if self.etag is not None:
            return None if self.etag.startswith("W/") else self.etag
        return self.last_modified

    def check(self, head: Head, size: int | None) -> None:
        """Raises ArchiveChanged when an answer is of another archive.

        Weak comparison (RFC 9110, 8.8.3.2): a proxy that turns "x" into W/"x" has not changed the archive,
        and every byte is held against the directory's CRC-32 anyway.
        """
        etag = head.headers.get("etag")
        if self.etag is not None and etag is not None and _opaque(etag) != _opaque(self.etag):
            raise ArchiveChanged(f"its ETag was {self.etag} and is now {etag}")
        if size is not None and size != self.size:
            raise ArchiveChanged(f"it was {self.size} bytes long and is now {size}")
        modified = head.headers.get("last-modified")
        if self.etag is None and self.last_modified and modified and modified != self.last_modified:
            raise ArchiveChanged(f"it was last modified {self.last_modified} and is now {modified}")


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/")


def content_range(head: Head) -> tuple[int, int, int | None]:
    """First byte, last byte and total of a 206; None: it does not say the total.

    Raises NoRanges when the header is missing or nonsense, or when the body has another length.
    """
    text = head.headers.get("content-range", "")
    found = _CONTENT_RANGE.fullmatch(text)
    if found is None:
        kind = head.headers.get("content-type", "")
        raise NoRanges(f"a 206 without a usable Content-Range: {text[:60]!r}, Content-Type {kind[:60]!r}")
    first, last = int(found[1]), int(found[2])
    total = None if found[3] is None else int(found[3])
    if last < first or (total is not None and last >= total):
        raise NoRanges(f"a 206 with the Content-Range {text[:60]!r}")
    length = head.headers.get("content-length", "")
    if not head.is_chunked and length.isdecimal() and int(length) != last - first + 1:
        raise NoRanges(f"a 206 of {length} bytes with the Content-Range {text[:60]!r}")
    return first, last, total


def unsatisfied_size(head: Head) -> int | None:
    """The archive's length, when a 416 gives it."""
    found = _UNSATISFIED.fullmatch(head.headers.get("content-range", ""))
    return int(found[1]) if found else None
