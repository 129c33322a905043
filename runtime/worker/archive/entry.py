"""One entry as the central directory states it, with its name as the rest of the system knows it."""

from typing import NamedTuple

from runtime.worker.archive.records import FLAG_DESCRIPTOR, FLAG_UTF8, unicode_path


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

    @property
    def is_directory(self) -> bool:
        """A name ending in "/" makes a folder, 4.3.8: skipped, S3 has none."""
        return self.name.endswith("/")

    @property
    def has_descriptor(self) -> bool:
        """Whether CRC and sizes follow the data, as streaming writers leave them; 4.4.4 bit 3."""
        return bool(self.flags & FLAG_DESCRIPTOR)


def decode_name(raw_name: bytes, flags: int, extra: bytes) -> str:
    """The name as it is looked up in the metadata table and used in the S3 key.

    UTF-8 where bit 11 says so or Info-ZIP's extra field gives it. Without either APPNOTE (appendix D) says
    code page 437, but Info-ZIP, macOS and others leave the bit out of UTF-8 names, and text of that code page
    is hardly ever valid UTF-8 by accident: so UTF-8 when it is valid.
    "\\" becomes "/": 4.4.17.1 allows only "/", and the writers that break the rule (Windows) mean it as one.
    Unicode form is kept: S3 and DynamoDB compare bytes, so the vendor's form is the one to look up.
    What is not valid UTF-8 gets U+FFFD, and is refused when judged.
    """
    if flags & FLAG_UTF8:
        name = raw_name.decode("utf-8", "replace")
    else:
        # The search for the id's bytes spares nearly every entry the parsing of its extra fields.
        better = unicode_path(extra, raw_name) if b"\x75\x70" in extra else None
        if better is not None:
            name = better.decode("utf-8", "replace")
        else:
            try:
                name = raw_name.decode()
            except UnicodeDecodeError:
                name = raw_name.decode("cp437")
    return name.replace("\\", "/")
