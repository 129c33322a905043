"""S3's `aws-chunked` content encoding: a body in frames, with its checksum behind it.

A part's CRC-32 is not known before its last byte, and an upload with a full-object CRC-32 takes no part
without one. S3 also wants the encoded length beforehand, so all frames but the last have one size.
"""

from collections.abc import Callable

from isal import isal_zlib

from runtime.shared.buffer import Buffer

UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
FRAME_BYTES = 64 * 1024
_TRAILER_BYTES = len("x-amz-checksum-crc32:") + 8  # base64 of four bytes


def framed_length(size: int) -> int:
    """Bytes that `size` bytes become with a CRC-32 behind them."""
    whole, rest = divmod(size, FRAME_BYTES)
    frames = whole * _frame_length(FRAME_BYTES) + (_frame_length(rest) if rest else 0)
    return frames + len(b"0\r\n") + _TRAILER_BYTES + len(b"\r\n\r\n")


def _frame_length(size: int) -> int:
    return len(f"{size:x}\r\n") + size + len(b"\r\n")


class FramedBody:
    """Takes bytes in pieces of any size and gives frames to `send`; keeps their CRC-32."""

    def __init__(self, send: Callable[[Buffer], None]) -> None:
        self._send = send
        self._held: list[bytes] = []
        self._held_size = 0
        self.crc32 = 0

    def write(self, data: Buffer) -> None:
        self.crc32 = isal_zlib.crc32(data, self.crc32)
        view = memoryview(data)
        while view:
            step = view[: FRAME_BYTES - self._held_size]
            view = view[len(step) :]
            self._held.append(bytes(step))
            self._held_size += len(step)
            if self._held_size == FRAME_BYTES:
                self._flush()

    def finish(self, trailer: str) -> None:
        """The last frame, the end mark and the trailer line."""
        self._flush()
        self._send(f"0\r\n{trailer}\r\n\r\n".encode())

    def _flush(self) -> None:
        if self._held:
            self._send(b"".join([b"%x\r\n" % self._held_size, *self._held, b"\r\n"]))
            self._held, self._held_size = [], 0
