"""`Range` as RFC 9110 has it, for one range: what part of a body to send."""

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))")


class NotSatisfiable(Exception):
    """The range lies outside the body: 416."""


@dataclass(frozen=True)
class ServedRange:
    """The bytes [first, first + length) of a body of `total` bytes."""

    first: int
    length: int
    total: int

    @property
    def content_range(self) -> str:
        return f"bytes {self.first}-{self.first + self.length - 1}/{self.total}"


def parse_range(header: str | None, total: int) -> ServedRange | None:
    """The span that a Range header asks for; None when the whole body is the answer.

    A header that is not one byte range (another unit, several ranges, nonsense) is ignored, as the RFC
    allows. Raises NotSatisfiable.
    """
    match = _ONE_RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        length = min(int(suffix), total)
        if length == 0:
            raise NotSatisfiable
        return ServedRange(total - length, length, total)
    start = int(first)
    end = min(int(last), total - 1) if last else total - 1
    if last and int(last) < start:
        return None
    if start >= total:
        raise NotSatisfiable
    return ServedRange(start, end - start + 1, total)
