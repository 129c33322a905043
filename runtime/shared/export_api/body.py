"""An answer's bytes as a JSON document.

They are decompressed and read within a bound, and refused where they have two readings.
"""

import itertools
import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ACCEPT_ENCODING = "gzip"
_PIECE = 64 * 1024
_MAX_CODINGS = 4
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_GZIP_FORMAT, _ZLIB_FORMAT, _RAW_FORMAT = 31, 15, -15
# RFC 9659: what HTTP may ask a reader to hold.
_ZSTD_OPTIONS: Mapping[int, int] = {zstd.DecompressionParameter.window_log_max: 23}
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?(?P<name>[A-Za-z0-9._-]+)", re.IGNORECASE)
_CHARSETS = frozenset(
    ("iso-8859-1", "latin1", "iso-8859-15", "windows-1250", "windows-1251", "windows-1252", "cp1252")
)


class Unreadable(Exception):
    """The body is not one JSON document within the bound; the text says what it is instead."""


class TwoValues(ValueError):
    """Somebody reads a name that an object gives twice."""


class Ambiguous(dict[str, Any]):
    """An object that gives a name two different values: parsers disagree on which counts, so neither does."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self._twice = {name for name, value in pairs if self[name] != value}

    def get(self, name: str, default: Any = None) -> Any:
        """Raises TwoValues."""
        if name in self._twice:
            raise TwoValues(f"{name[:60]!r} is given twice, with different values")
        return super().get(name, default)


def read_document(chunks: Iterable[bytes], coding: str, content_type: str, *, limit: int) -> Any:
    """The document in a body as it comes from the wire.

    `coding` is the Content-Encoding. No step of decompression gives more than `limit` bytes. Raises
    Unreadable, and what `chunks` raises.
    """
    body = bytearray()
    try:
        for piece in _decoded(chunks, coding, limit):
            body += piece
        text = _text(body, content_type)
        # A large page is not held twice while it becomes objects.
        body.clear()
        return json.loads(text, object_pairs_hook=_object)
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise Unreadable("a body that cannot be decompressed") from error
    except (ValueError, RecursionError) as error:
        kind = content_type[:60] or "no content type"
        packed = f" in {coding[:30]}" if coding else ""
        raise Unreadable(f"{kind}{packed} that is not JSON") from error


def read_beginning(chunks: Iterable[bytes], limit: int) -> bytes:
    """The first bytes of a body that is of no further interest."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def _decoded(chunks: Iterable[bytes], coding: str, limit: int) -> Iterator[bytes]:
    """The body without its codings, the announced ones and those that nobody announced."""
    codings = [name.strip().lower() for name in coding.split(",") if name.strip()]
    if len(codings) > _MAX_CODINGS:
        raise Unreadable(f"{len(codings)} content codings")
    stream = _bounded(chunks, limit)
    for name in reversed(codings):
        if name in {"gzip", "x-gzip", "zstd"}:
            stream = _unpacked(stream, limit)
        elif name == "deflate":
            head, stream = _peek(stream)
            stream = _bounded(_inflated(stream, _deflate_format(head)), limit)
        # Any other name changes nothing here: what is no JSON without it is refused as that.
    return _unpacked(stream, limit)


def _unpacked(stream: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """By what the bytes say: neither magic number can begin a JSON document."""
    head, stream = _peek(stream)
    if head.startswith(_GZIP):
        return _bounded(_inflated(stream, _GZIP_FORMAT), limit)
    if head.startswith(_ZSTD):
        return _bounded(_unzstandard(stream), limit)
    return stream


def _peek(stream: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    head = b""
    for piece in stream:
        head += piece
        if len(head) >= len(_ZSTD):
            break
    return head, itertools.chain((head,), stream)


def _bounded(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise Unreadable(f"a body of more than {limit} bytes")
        yield chunk


def _deflate_format(head: bytes) -> int:
    """RFC 9110 means the zlib format; several servers send the raw stream (RFC 1950, section 2.2)."""
    zlib_header = len(head) > 1 and head[0] & 15 == 8 and int.from_bytes(head[:2]) % 31 == 0
    return _ZLIB_FORMAT if zlib_header else _RAW_FORMAT


def _inflated(chunks: Iterable[bytes], format_: int) -> Iterator[bytes]:
    decoder = zlib.decompressobj(format_)
    for chunk in chunks:
        rest = chunk
        while rest:
            if decoder.eof:
                # RFC 1952, section 2.2: a series of members. Anything else behind one is padding.
                if not (format_ == _GZIP_FORMAT and rest.startswith(_GZIP)):
                    break
                decoder = zlib.decompressobj(format_)
            yield decoder.decompress(rest, _PIECE)
            rest = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    yield decoder.flush()
    if not decoder.eof:
        raise EOFError


def _unzstandard(chunks: Iterable[bytes]) -> Iterator[bytes]:
    decoder = zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)
    for chunk in chunks:
        rest = chunk
        while rest or not (decoder.eof or decoder.needs_input):
            if decoder.eof:
                decoder = zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)
            yield decoder.decompress(rest, _PIECE)
            rest = decoder.unused_data if decoder.eof else b""
    if not decoder.eof:
        raise EOFError


def _text(body: bytearray, content_type: str) -> str:
    """RFC 8259 says UTF-8; UTF-16 and 32, a byte order mark and a true charset are read as well."""
    data = bytes(body)
    try:
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        declared = _CHARSET.search(content_type)
        if declared is None or declared["name"].lower() not in _CHARSETS:
            raise
        return data.decode(declared["name"])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs) or all(found[name] == value for name, value in pairs):
        return found
    return Ambiguous(pairs)
