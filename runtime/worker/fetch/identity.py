"""What makes an archive the same one from answer to answer, and which bytes of it an answer holds."""

import re
from dataclasses import dataclass

from runtime.worker.fetch.errors import ArchiveChanged, NoRanges
from runtime.worker.http.grammar import Head

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True)
class Identity:
    """What makes an archive the same one: its length and its validators."""

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
        """Raises ArchiveChanged when an answer is of another archive."""
        etag = head.headers.get("etag")
        if self.etag is not None and etag is not None and etag != self.etag:
            raise ArchiveChanged(f"its ETag was {self.etag} and is now {etag}")
        if size is not None and size != self.size:
            raise ArchiveChanged(f"it was {self.size} bytes long and is now {size}")
        modified = head.headers.get("last-modified")
        if self.etag is None and self.last_modified and modified and modified != self.last_modified:
            raise ArchiveChanged(f"it was last modified {self.last_modified} and is now {modified}")


def content_range(head: Head) -> tuple[int, int, int | None]:
    """First byte, last byte and total of a 206. Raises NoRanges when the header is missing or nonsense."""
    text = head.headers.get("content-range", "")
    found = _CONTENT_RANGE.fullmatch(text.strip())
    if found is None:
        raise NoRanges(f"a 206 without a usable Content-Range: {text[:60]!r}")
    total = None if found[3] == "*" else int(found[3])
    return int(found[1]), int(found[2]), total
