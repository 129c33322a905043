"""Inflate that can be interrupted anywhere.

Its inner state can be saved, and another process can go on from it.

zlib can only be entered between two blocks, at two fifths of isal's speed. isal keeps all that it needs (its
tables, the last 32 KiB, a few bits) in one plain structure, `struct inflate_state` of igzip_lib.h, so its
functions are called directly where they can be reached. Where they cannot, or do not work as they are used
here, there is no resumable inflate.
"""

import ctypes
import zlib
from typing import Any

from runtime.worker.archive.limits import Buffer

_ROOM = 128 * 1024  # of output for one step, which stays in the core's cache
_BLOCK_INPUT_DONE = 5  # ISAL_BLOCK_FINISH: the last block has ended


class _State(ctypes.Structure):
    """igzip_lib.h of ISA-L 2.31; without pointers but for the two that each call sets."""

    _fields_ = (
        ("next_out", ctypes.c_void_p),
        ("avail_out", ctypes.c_uint32),
        ("total_out", ctypes.c_uint32),
        ("next_in", ctypes.c_void_p),
        ("read_in", ctypes.c_uint64),
        ("avail_in", ctypes.c_uint32),
        ("read_in_length", ctypes.c_int32),
        ("literals", ctypes.c_uint8 * (4 * (1 << 12) + 2 * 1264)),
        ("distances", ctypes.c_uint8 * (2 * (1 << 10) + 2 * 80)),
        ("block_state", ctypes.c_int32),
        ("dict_length", ctypes.c_uint32),
        ("bfinal", ctypes.c_uint32),
        ("crc_flag", ctypes.c_uint32),
        ("crc", ctypes.c_uint32),
        ("hist_bits", ctypes.c_uint32),
        ("count", ctypes.c_int32),
        ("overflow", ctypes.c_int32 * 4),
        ("wrapper_flag", ctypes.c_int16),
        ("tmp_in_size", ctypes.c_int16),
        ("tmp_out_valid", ctypes.c_int32),
        ("tmp_out_processed", ctypes.c_int32),
        ("tmp_in_buffer", ctypes.c_uint8 * 328),
        ("tmp_out_buffer", ctypes.c_uint8 * (2 * 32_768 + 288)),
    )


class InflateStateError(ValueError):
    """The data is not deflate's, or the state is not one of this inflate."""


class ResumableInflater:
    """A decompressor of raw deflate; `state` begins where another one's `state()` was taken."""

    def __init__(self, state: bytes | None = None) -> None:
        self.unused_data = b""
        self._pending: Buffer = b""
        self._more = False
        self._state = _State()
        self._out = memoryview(bytearray(_ROOM))
        self._out_address = ctypes.addressof(ctypes.c_char.from_buffer(self._out))
        if state is None:
            _isal.isal_inflate_init(ctypes.byref(self._state))
            return
        if len(state) != ctypes.sizeof(_State):
            raise InflateStateError(f"a state of {len(state)} bytes instead of {ctypes.sizeof(_State)}")
        self._state = _State.from_buffer_copy(state)

    @property
    def eof(self) -> bool:
        return self._state.block_state == _BLOCK_INPUT_DONE and not self._more

    @property
    def needs_input(self) -> bool:
        return not (self._pending or self._more or self.eof)

    @property
    def pending(self) -> int:
        """Bytes that were given and not yet looked at."""
        return len(self._pending)

    def decompress(self, data: Buffer, /, max_length: int = -1) -> bytes:
        """Some of the output, at most `max_length` bytes; the rest with the next calls.

        Raises InflateStateError.
        """
        if data:
            self._pending = _joined(self._pending, data)
        state = self._state
        room = min(max_length, _ROOM) if max_length >= 0 else _ROOM
        made = self._step(room)
        self._more = made == room
        if state.block_state == _BLOCK_INPUT_DONE and not self._more:
            # What isal has read ahead in whole bytes is behind the end too.
            ahead = bytes(state.read_in.to_bytes(8, "little")[: max(0, state.read_in_length) // 8])
            self.unused_data = ahead + bytes(self._pending)
            self._pending = b""
        return bytes(self._out[:made])

    def state(self) -> bytes:
        """The state to resume from, behind the bytes that were given but for `pending` of them."""
        copy = _State.from_buffer_copy(self._state)
        copy.next_in = copy.next_out = None
        copy.avail_in = copy.avail_out = 0
        return bytes(copy)

    def _step(self, room: int) -> int:
        state, pending = self._state, self._pending
        view = memoryview(pending)
        # Only memory that can be written lends its address.
        lent = view if not view.readonly else memoryview(bytearray(view))
        if len(lent):
            state.next_in = ctypes.addressof(ctypes.c_char.from_buffer(lent))
        state.avail_in = len(lent)
        state.next_out = self._out_address
        state.avail_out = room
        failure = _isal.isal_inflate(ctypes.byref(state))
        if failure < 0:
            raise InflateStateError(f"isal refuses the data with {failure}")
        self._pending = lent[len(lent) - state.avail_in :] if state.avail_in else b""
        return room - int(state.avail_out)


def _joined(before: Buffer, data: Buffer) -> Buffer:
    return bytearray(before) + data if before else data


def _load() -> Any:
    """isal's own functions, as its extension module brings them; None where it keeps them to itself."""
    try:
        from isal import igzip_lib

        library = ctypes.CDLL(igzip_lib.__file__)
        library.isal_inflate.argtypes = library.isal_inflate_init.argtypes = (ctypes.c_void_p,)
        library.isal_inflate.restype = ctypes.c_int
        library.isal_inflate_init.restype = None
    except (ImportError, OSError, AttributeError):
        return None
    # The object that isal's own module wraps around the structure tells whether it is the one known here.
    rest = igzip_lib.IgzipDecompressor.__basicsize__ - ctypes.sizeof(_State)
    return library if 0 < rest <= 256 else None


_isal = _load()


def _all(inflater: ResumableInflater, data: bytes) -> bytes:
    out = inflater.decompress(data)
    while not (inflater.needs_input or inflater.eof):
        out += inflater.decompress(b"")
    return out


def _works() -> bool:
    """Whether a state that was saved in the middle is gone on from rightly."""
    if _isal is None:
        return False
    plain = bytes(range(256)) * 300 + b"".join(b"%d," % (n * n) for n in range(9_000))
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = packer.compress(plain) + packer.flush()
    half = len(data) // 2
    try:
        first = ResumableInflater()
        out = _all(first, data[:half])
        second = ResumableInflater(first.state())
        out += _all(second, data[half - first.pending :])
    except InflateStateError:
        return False
    return out == plain and second.eof and not second.unused_data


RESUMABLE = _works()
