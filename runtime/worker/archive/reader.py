"""One entry's bytes, from its local header to its last check, as they arrive.

Promises: memory is bounded by the step, whatever the entry holds; output never exceeds the size that the
directory gave, nor the limits; `finished` is true only when the local header, the data's own end, size,
CRC-32 and data descriptor have all been found right. Until then nothing it returned is verified.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from runtime.shared.contracts import EntryOutcome
from runtime.shared.sizes import MIB
from runtime.worker.archive.data_errors import (
    broken_off,
    corrupt,
    trailing,
    undecodable,
    wrong_crc,
    wrong_size,
)
from runtime.worker.archive.decoders import DATA_ERRORS, can_resume, decompressor
from runtime.worker.archive.entry import Entry
from runtime.worker.archive.errors import EntryRejected
from runtime.worker.archive.inflate import Decompressor, crc32
from runtime.worker.archive.limits import Buffer, Limits
from runtime.worker.archive.local_header import check_local_header, header_length
from runtime.worker.archive.records import LOCAL, descriptors
from runtime.worker.archive.resumable_inflate import ResumableInflater

STEP_BYTES = MIB
_NOTHING = memoryview(b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderState:
    """A place inside an entry from which another reader can go on."""

    header_length: int
    """Bytes from the local header to the data."""
    consumed: int
    """Bytes of the data that have been read."""
    produced: int
    """Bytes of the file that they became."""
    crc32: int
    """Of those."""
    decoder: bytes = b""
    """What the decompressor needs to go on; nothing for a stored entry."""

    @property
    def offset(self) -> int:
        """From the local header to the next byte to feed."""
        return self.header_length + self.consumed


class EntryReader:
    """Feed it the entry's span in pieces of any size; it gives the file's bytes.

    `entry` must have passed `judge`. One thread at a time. A `resumable` one can say its state, for a method
    that has one. Raises EntryRejected from the constructor for a method that is not read and for sizes over
    the limits.
    """

    def __init__(self, entry: Entry, limits: Limits, *, resumable: bool = False) -> None:
        if excess := limits.excess(entry.size, entry.compressed_size):
            raise EntryRejected(EntryOutcome.LIMIT_EXCEEDED, excess)
        self.entry = entry
        self.crc32 = 0  # of the bytes that came out so far
        self.produced = 0  # how many they are
        self.header_length: int | None = None  # from the local header to the data; None: not all read yet
        self.finished = False
        self._limits = limits
        self._descriptor_due = False
        self.boundary: int | None = None  # of the output: no chunk goes across it
        self._resumable = resumable and can_resume(entry)
        self._decoder = decompressor(entry, resumable=resumable)
        self._left = entry.compressed_size
        self._held = bytearray()  # of a header or descriptor of which not all has come

    def feed(self, data: Buffer) -> Iterator[Buffer]:
        """Take the next bytes of the span; yields the file's next bytes. Raises EntryRejected.

        Exhaust the iterator before feeding again. Chunks of a stored entry are views of `data`: copy them
        or be done with them before its memory is reused. Bytes behind the entry's end are not looked at.
        """
        view = memoryview(data)
        if self.header_length is None:
            view = self._take_header(view)
            if self.header_length is None:
                return
        if self._left and view:
            piece, view = view[: self._left], view[self._left :]
            self._left -= len(piece)
            if self._decoder is None:
                yield from self._stored(piece)
            else:
                yield from self._decode(self._decoder, piece)
        if not self._left and not self.finished:
            self._check_end(view)

    def close(self) -> None:
        """No more bytes will come. Raises EntryRejected unless the entry is `finished`."""
        if self.finished:
            return
        if self._left or self.header_length is None:
            raise corrupt("the archive's bytes end before the entry does")
        raise EntryRejected(EntryOutcome.HEADER_MISMATCH, "the data descriptor is missing")

    def state(self) -> ReaderState | None:
        """Where the last chunk ended, to go on from; None where that is not possible, or not worth it.

        To be called between two chunks.
        """
        if not self._resumable or self.header_length is None:
            return None
        consumed, decoder = self.produced, b""
        if isinstance(self._decoder, ResumableInflater):
            consumed = self.entry.compressed_size - self._left - self._decoder.pending
            decoder = self._decoder.state()
        if consumed >= self.entry.compressed_size:
            return None
        return ReaderState(
            header_length=self.header_length,
            consumed=consumed,
            produced=self.produced,
            crc32=self.crc32,
            decoder=decoder,
        )

    def resume(self, state: ReaderState) -> None:
        """Go on where another reader of this entry was; the next bytes to feed are at `state.offset`.

        Nothing may have been fed before. Raises ValueError for what cannot be a state of this entry.
        """
        entry = self.entry
        if not self._resumable or self.header_length is not None or self._held:
            raise ValueError("only a resumable entry of which nothing was read can be entered in the middle")
        fits = 0 <= state.consumed < entry.compressed_size and 0 <= state.produced <= entry.size
        if not fits or state.header_length < LOCAL.size:
            raise ValueError(f"byte {state.produced} of {entry.size} is not a place inside the entry")
        if self._decoder is None and state.produced != state.consumed:
            raise ValueError("a stored entry's bytes are the archive's own")
        if self._decoder is not None:
            self._decoder = decompressor(entry, resumable=True, state=state.decoder)
        self.header_length = state.header_length
        self._left = entry.compressed_size - state.consumed
        self.produced, self.crc32 = state.produced, state.crc32

    def _stored(self, piece: memoryview) -> Iterator[memoryview]:
        while piece:
            step = piece[: self._room(len(piece))]
            piece = piece[len(step) :]
            self._count(step)
            yield step

    def _room(self, most: int) -> int:
        """How long the next chunk may be, so that it does not cross the boundary."""
        if self.boundary is None or self.boundary <= self.produced:
            return most
        return min(most, self.boundary - self.produced)

    def _take_header(self, view: memoryview) -> memoryview:
        """Collect the local header; returns what is behind it."""
        view = self._hold(view, LOCAL.size)
        if len(self._held) < LOCAL.size:
            return view
        length = header_length(self._held)
        view = self._hold(view, length)
        if len(self._held) == length:
            self._descriptor_due = check_local_header(self.entry, self._held, self._limits)
            self.header_length = length
            self._held.clear()
        return view

    def _hold(self, view: memoryview, wanted: int) -> memoryview:
        missing = max(0, wanted - len(self._held))
        self._held += view[:missing]
        return view[missing:]

    def _decode(self, decoder: Decompressor, piece: memoryview) -> Iterator[bytes]:
        if decoder.eof:
            raise trailing()
        data = piece
        while True:
            # Room for one byte more than is due, so that too much shows itself.
            room = self._room(min(STEP_BYTES, self.entry.size - self.produced + 1))
            try:
                out = decoder.decompress(data, room)
            except DATA_ERRORS as error:
                raise undecodable(error) from error
            if out:
                self._count(out)
                yield out
            if decoder.eof:
                if decoder.unused_data or self._left:
                    raise trailing()
                return
            if decoder.needs_input or not (out or data):  # the latter: it would never come to an end
                return
            data = _NOTHING

    def _count(self, out: Buffer) -> None:
        self.produced += len(out)
        if self.produced > self.entry.size:
            raise wrong_size(self.entry, self.produced)
        self.crc32 = crc32(out, self.crc32)

    def _check_end(self, view: memoryview) -> None:
        """All data has been fed: is it whole and right, and does the data descriptor agree?"""
        entry = self.entry
        # An empty file may come without any compressed data, not even an end marker.
        if self._decoder is not None and not self._decoder.eof and entry.compressed_size:
            raise broken_off()
        if self.produced != entry.size:
            raise wrong_size(entry, self.produced)
        if self.crc32 != entry.crc32:
            raise wrong_crc(entry, self.crc32)
        if not self._descriptor_due:
            self.finished = True
            return
        self._hold(view, 24)
        self.finished = descriptor_agrees(entry, self._held)


def descriptor_agrees(entry: Entry, data: Buffer) -> bool:
    """Whether `data` begins with the entry's descriptor; False: too short to tell. Raises EntryRejected."""
    undecided = False
    for form in descriptors(entry.crc32, entry.compressed_size, entry.size):
        begun = bytes(data[: len(form)])
        if begun == form:
            return True
        undecided |= form.startswith(begun)
    if not undecided:
        raise EntryRejected(
            EntryOutcome.HEADER_MISMATCH, "the data descriptor is missing or disagrees with the directory"
        )
    return False
