"""The form of an answer on the wire: RFC 9112's grammar as anchored patterns, nothing looser.

Vendors' bytes come through here, so a message that two readers could take differently is an error and not a
guess. The few liberties are those that RFC 9112 grants and h11 takes too: a line of the head may end in a
bare LF (2.2), the reason phrase may be missing with its space, folded lines are unfolded (5.2), and
Transfer-Encoding overrides Content-Length (6.3), after which the connection is not kept.
"""

import re
from typing import NamedTuple

from runtime.shared.http.errors import FramingError

MAX_HEAD_BYTES = 64 * 1024
"""Of a status line with its headers, and of a chunked body's trailers."""

MAX_LINE_BYTES = 4 * 1024
"""Of a chunk's size with its extensions."""

# RFC 9110, 5.5: no CR, LF or NUL in a value. Other controls are harmless here and do occur; VT and FF are
# refused as h11 refuses them.
_VALUE = rb"[^\x00\r\n\x0b\x0c]*+"
_TOKEN = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]++"
_EOL = rb"\r?\n"
_FIELD_LINE = rb"%b:%b%b(?:[ \t]+%b%b)*" % (_TOKEN, _VALUE, _EOL, _VALUE, _EOL)
_STATUS_LINE = rb"HTTP/1\.[0-9] [1-9][0-9]{2}(?: %b)?%b" % (_VALUE, _EOL)

_HEAD = re.compile(rb"%b(?:%b)*%b" % (_STATUS_LINE, _FIELD_LINE, _EOL))
_TRAILERS = re.compile(rb"(?:%b)*%b" % (_FIELD_LINE, _EOL))
_STATUS = re.compile(_STATUS_LINE)
_FIELD = re.compile(_FIELD_LINE)
_FOLD = re.compile(r"\r?\n[ \t]+")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
# 7.1: 1*HEXDIG, here at most 2^64 with some leading zeros; extensions are passed over.
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,20})(?:[ \t]*;%b)?[ \t]*" % _VALUE)


class Head(NamedTuple):
    """Status line and headers of an answer.

    Names are lower case; a header that comes several times has its values joined by ", ", equal ones once.
    """

    status: int
    headers: dict[str, str]
    http_1_0: bool

    @property
    def is_chunked(self) -> bool:
        """Whether Content-Length, if there is one, does not count."""
        return "transfer-encoding" in self.headers

    @property
    def keeps_connection(self) -> bool:
        """Whether the other side means to serve further requests on it (9.3)."""
        if "connection" not in self.headers:
            return not self.http_1_0
        options = {option.strip().lower() for option in self.headers["connection"].split(",")}
        return "close" not in options and (not self.http_1_0 or "keep-alive" in options)


class BodyLength(NamedTuple):
    """How a body ends: after so many bytes, with its last chunk, or (neither) when the connection does."""

    bytes: int | None
    chunked: bool = False


def end_of_head(data: bytes, since: int = 0) -> int:
    """Where the block that begins `data` ends, its blank line included; -1: not all of it is here.

    `since`: so many bytes have been searched before.
    """
    if data.startswith((b"\r\n", b"\n")):
        return data.index(b"\n") + 1
    found = _BLANK_LINE.search(data, max(0, since - 2))
    return found.end() if found else -1


def parse_head(block: bytes) -> Head:
    """Raises FramingError that names the first line at fault."""
    if not _HEAD.fullmatch(block):
        raise FramingError(_fault(block))
    text = block.decode("latin-1")
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    status, *fields = text.replace("\r\n", "\n").split("\n")
    headers: dict[str, str] = {}
    for field in fields[:-2]:
        name, _, value = field.partition(":")
        name, value = name.lower(), value.strip(" \t")
        # Coded twice is not the same as coded once.
        if name in headers and (headers[name] != value or name == "transfer-encoding"):
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return Head(int(status[9:12]), headers, status[7] == "0")


def _fault(block: bytes) -> str:
    if not (status := _STATUS.match(block)):
        return f"the answer is not HTTP/1.1: {block[:60]!r}"
    at = status.end()
    while field := _FIELD.match(block, at):
        at = field.end()
    return f"a header of the answer is malformed: {block[at : at + 60]!r}"


def check_trailers(block: bytes) -> None:
    """They are of no use here, but must be well-formed. Raises FramingError."""
    if not _TRAILERS.fullmatch(block):
        raise FramingError(f"the trailers of a chunked answer are malformed: {block[:60]!r}")


def body_length(head: Head, *, bodyless: bool) -> BodyLength:
    """RFC 9112, 6.3, in its order; `bodyless`: the request was a HEAD. Raises FramingError."""
    codings, lengths = head.headers.get("transfer-encoding"), head.headers.get("content-length")
    # We sent no TE, so a server may use no other coding, nor this one twice.
    if codings is not None and codings.lower() != "chunked":
        raise FramingError(f"the answer's Transfer-Encoding is {codings[:60]!r}")
    length = None if lengths is None else _the_length(lengths)
    if bodyless or head.status in (204, 304):
        return BodyLength(0)
    return BodyLength(None, chunked=True) if codings is not None else BodyLength(length)


def _the_length(lengths: str) -> int:
    if _LENGTH.fullmatch(lengths):  # said once, as nearly always
        return int(lengths)
    first, *others = {length.strip(" \t") for length in lengths.split(",")}
    if others or not _LENGTH.fullmatch(first):
        raise FramingError(f"the answer's Content-Length is {lengths[:60]!r}")
    return int(first)


def chunk_size(line: bytes) -> int:
    """From a chunk's first line, without its end. Raises FramingError."""
    found = _CHUNK.fullmatch(line)
    if found is None:
        raise FramingError(f"a chunk of the answer begins with {line[:60]!r}")
    return int(found[1], 16)
