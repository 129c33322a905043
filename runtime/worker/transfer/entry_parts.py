"""One part of a large object, or a whole one no longer than a part.

It is gathered and sent by another thread, or sent as it comes.

Gathering takes the part's length of memory for as long as it is filled and sent, and keeps a fast download
from waiting for S3. Sending as it comes takes none, which a slow download can afford; but S3 drops a
connection on which nothing moves for some 20 s, and what was sent of the part is then lost.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from runtime.shared.aws_client.client import Streaming
from runtime.shared.aws_client.errors import AwsError, AwsUnreachable
from runtime.shared.buffer import Buffer
from runtime.worker.aws.objects import StreamedPart
from runtime.worker.bounds.budget import Grant
from runtime.worker.transfer.multipart import MultipartUpload

T = TypeVar("T")


class PartLost(Exception):
    """A part that was sent as it came did not arrive; its bytes are gone, and to be read again."""

    def __init__(self, cause: AwsError | AwsUnreachable) -> None:
        super().__init__(str(cause))
        self.cause = cause


class EntryPart(Protocol):
    """Written by one thread. `finish` when all its bytes are there; `drop` when they never will be."""

    def write(self, data: Buffer) -> None: ...
    def finish(self) -> None: ...
    def drop(self) -> None: ...


class Gathered:
    """Kept in memory, within its grant, and then given to `send`, which releases the grant."""

    def __init__(self, grant: Grant, send: Callable[[list[Buffer], int, Grant], None]) -> None:
        self._grant = grant
        self._send = send
        self._buffers: list[Buffer] = []
        self._size = 0

    def write(self, data: Buffer) -> None:
        self._buffers.append(data)
        self._size += len(data)

    def finish(self) -> None:
        buffers, self._buffers = self._buffers, []
        self._send(buffers, self._size, self._grant)

    def drop(self) -> None:
        self._buffers = []
        self._grant.release()


class StreamedOfMany:
    """A part of a multipart upload; nothing is visible before that is completed."""

    def __init__(self, upload: MultipartUpload, number: int, size: int) -> None:
        self._upload = upload
        self._part: StreamedPart = _not_lost(lambda: upload.open_part(number, size))

    def write(self, data: Buffer) -> None:
        _not_lost(lambda: self._part.write(data))

    def finish(self) -> None:
        _not_lost(lambda: self._upload.close_part(self._part))

    def drop(self) -> None:
        self._part.drop()


class StreamedWhole:
    """A whole object. Its last bytes are held back until `finish`, so that it is visible only then."""

    def __init__(self, open_put: Callable[[], Streaming], done: Callable[[], None]) -> None:
        self._put: Streaming = _not_lost(open_put)
        self._done = done
        self._held: Buffer = b""

    def write(self, data: Buffer) -> None:
        held, self._held = self._held, data
        if held:
            _not_lost(lambda: self._put.write(held))

    def finish(self) -> None:
        _not_lost(lambda: self._put.write(self._held))
        _not_lost(self._put.finish)
        self._done()

    def drop(self) -> None:
        self._put.drop()


def _not_lost(call: Callable[[], T]) -> T:
    """Raises PartLost for trouble that a second try may get past."""
    try:
        return call()
    except AwsUnreachable as error:
        raise PartLost(error) from error
    except AwsError as error:
        if not error.retryable:
            raise
        raise PartLost(error) from error
