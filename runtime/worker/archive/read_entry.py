"""A small entry in one call: the way for archives of 100,000 files, where Python's own steps are the cost.

The usual case (stored or deflate, local header in its plain form) is checked by comparing one tuple; whatever
is out of the ordinary goes through `EntryReader`, which knows every case.
"""

from runtime.worker.archive import methods
from runtime.worker.archive.data_errors import broken_off, trailing, undecodable, wrong_crc, wrong_size
from runtime.worker.archive.decoders import DATA_ERRORS
from runtime.worker.archive.entry import Entry
from runtime.worker.archive.inflate import Inflater, crc32
from runtime.worker.archive.limits import Buffer, Limits
from runtime.worker.archive.reader import EntryReader, descriptor_agrees
from runtime.worker.archive.records import FLAG_DESCRIPTOR, LOCAL, LOCAL_SIGNATURE


def read_entry(entry: Entry, span: memoryview, limits: Limits) -> Buffer:
    """The file's bytes, verified; `span` is what `Directory.span` covers. Raises EntryRejected.

    Output takes `entry.size` bytes of memory: the caller decides what is small. A stored entry's bytes are a
    view of `span`.
    """
    (
        _index, _name, raw_name, flags, method, crc, compressed_size, size, _offset, _attrs, _fault,
    ) = entry  # fmt: skip
    if len(span) < LOCAL.size:
        return _read_slowly(entry, span, limits)
    signature, _, local_flags, local_method, _, _, local_crc, local_compressed, local_size, name, extra = (
        LOCAL.unpack_from(span)
    )
    start = LOCAL.size + name
    streamed = 0
    plain = (
        (signature, local_flags, local_method) == (LOCAL_SIGNATURE, flags, method)
        and (
            (local_crc, local_compressed, local_size) == (crc, compressed_size, size)
            or (streamed := flags & FLAG_DESCRIPTOR and not (local_crc or local_compressed or local_size))
        )
        and span[LOCAL.size : start] == raw_name
        and (method in (methods.DEFLATE, methods.STORED))
        and compressed_size
    )
    end = start + extra + compressed_size
    if not plain or end > len(span) or limits.excess(size, compressed_size):
        return _read_slowly(entry, span, limits)
    data: Buffer = span[start + extra : end]
    if method == methods.DEFLATE:
        data = _inflated(entry, data)
    elif len(data) != size:
        raise wrong_size(entry, len(data))
    if (found := crc32(data)) != crc:
        raise wrong_crc(entry, found)
    if streamed and not descriptor_agrees(entry, span[end : end + 24]):
        return _read_slowly(entry, span, limits)
    return data


def _inflated(entry: Entry, data: Buffer) -> bytes:
    inflater = Inflater()
    try:
        # Room for one byte more than is due, so that too much shows itself.
        out = inflater.decompress(data, entry.size + 1)
    except DATA_ERRORS as error:
        raise undecodable(error) from error
    if inflater.unused_data:
        raise trailing()
    if not inflater.eof and len(out) <= entry.size:
        raise broken_off()
    if len(out) != entry.size:
        raise wrong_size(entry, len(out))
    return out


def _read_slowly(entry: Entry, span: Buffer, limits: Limits) -> bytes:
    reader = EntryReader(entry, limits)
    data = b"".join(bytes(chunk) for chunk in reader.feed(span))
    reader.close()
    return data
