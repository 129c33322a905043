"""What both archive servers answer to a request: the whole file, a range of it, or that there is none."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

_RANGE = re.compile(r"^range: *bytes=(\d*)-(\d*)\r$", re.IGNORECASE | re.MULTILINE)
_IF_RANGE = re.compile(r"^if-range: *(.*?)\r$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """The response's head, and the first byte of the file to send after it and the one after the last."""

    head: bytes
    first: int
    end: int


def ranged_answer(stat: os.stat_result, head: str) -> Answer:
    """The answer to a request with this head for a file of which `stat` is known."""
    etag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    fields = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "application/zip"}
    asked, condition = _RANGE.search(head), _IF_RANGE.search(head)
    if asked is None or (condition is not None and condition[1] != etag):
        return Answer(answer_head("200 OK", fields | _length(stat.st_size)), 0, stat.st_size)
    span = _span(asked[1], asked[2], stat.st_size)
    if span is None:
        fields["Content-Range"] = f"bytes */{stat.st_size}"
        return Answer(answer_head("416 Range Not Satisfiable", fields | _length(0)), 0, 0)
    first, end = span
    fields["Content-Range"] = f"bytes {first}-{end - 1}/{stat.st_size}"
    return Answer(answer_head("206 Partial Content", fields | _length(end - first)), first, end)


def answer_head(status: str, fields: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1")


def _length(length: int) -> dict[str, str]:
    return {"Content-Length": str(length)}


def _span(first: str, last: str, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last that `first-last` asks for; None where there is none."""
    if first == "":
        return (max(0, size - int(last)), size) if last else None
    end = min(size, int(last) + 1) if last else size
    return (int(first), end) if int(first) < end else None
