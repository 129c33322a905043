"""One entry as the central directory states it, with its name as the rest of the system knows it."""

from typing import NamedTuple

from runtime.worker.archive.limits import Limits
from runtime.worker.archive.names import normal
from runtime.worker.archive.records import FLAG_UTF8, unicode_path


class Entry(NamedTuple):
    """An entry of the directory. A tuple, because 100,000 of them are made in a fraction of a second."""

    index: int  # type: ignore[assignment]  # its place in the directory; hides tuple.index
    name: str  # the key to metadata and S3: see `decode_name`
    raw_name: bytes  # as recorded; the local header must repeat it
    flags: int
    method: int
    crc32: int
    compressed_size: int
    size: int
    local_offset: int
    external_attrs: int
    fault: str | None = None  # an extra field of its own that cannot be relied on


def decode_name(raw_name: bytes, flags: int, extra: bytes, limits: Limits) -> str:
    """The name as it is looked up in the metadata table and used in the S3 key, in its normal form.

    UTF-8 where bit 11 says so or Info-ZIP's extra field gives it. Without either APPNOTE (appendix D) says
    code page 437, but Info-ZIP, macOS and others leave the bit out of UTF-8 names, and text of a code page
    is hardly ever valid UTF-8 by accident: so UTF-8 when it is valid.
    Unicode form is kept: S3 and DynamoDB compare bytes, so the vendor's form is the one to look up.
    What cannot be decoded gets U+FFFD, and is refused when judged.
    """
    if b"\x75\x70" in extra or not raw_name.isascii():
        name = recorded_name(raw_name, flags, extra, limits.code_page)
    else:
        name = raw_name.decode()  # nearly every one
    return name.replace("\\", "/") if limits.normal_names_only else normal(name)


def recorded_name(raw_name: bytes, flags: int, extra: bytes, code_page: str) -> str:
    """The name as text, as the writer put it."""
    if flags & FLAG_UTF8:
        return raw_name.decode("utf-8", "replace")
    # The search for the id's bytes spares nearly every entry the parsing of its extra fields.
    better = unicode_path(extra, raw_name) if b"\x75\x70" in extra else None
    if better is not None:
        return better.decode("utf-8", "replace")
    try:
        return raw_name.decode()
    except UnicodeDecodeError:
        return raw_name.decode(code_page, "replace")
