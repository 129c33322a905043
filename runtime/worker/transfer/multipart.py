"""Objects on their way into S3, off the threads that read: what is sent, finished, or taken back.

An object becomes visible in one step, after its last check: a PutObject, or the completion of a multipart
upload whose full-object CRC-32 S3 compares. Whatever fails before leaves nothing visible.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from isal import isal_zlib

from runtime.shared import logs
from runtime.shared.aws_client.errors import AwsError, AwsUnreachable
from runtime.shared.buffer import Buffer
from runtime.shared.scope import Scope
from runtime.shared.sizes import MIB
from runtime.worker.aws.objects import Description, ObjectStore, StreamedPart, UploadedPart
from runtime.worker.bounds.budget import Grant
from runtime.worker.bounds.window import Ticket, Window

_log = logging.getLogger(__name__)

MIN_PART_BYTES = 5 * MIB
_PARTS_IN_FLIGHT = 3  # of one object


def crc_of(buffers: Sequence[Buffer]) -> int:
    crc = 0
    for buffer in buffers:
        crc = isal_zlib.crc32(buffer, crc)
    return crc


class Uploader:
    """The part of one archive's work that runs on the shared upload threads.

    A job that fails ends the scope with its error, so the archive's own thread learns of it.
    """

    def __init__(self, store: ObjectStore, pool: ThreadPoolExecutor, window: Window, scope: Scope) -> None:
        self.store = store
        self.window = window
        self.scope = scope
        self._pool = pool

    def submit(self, job: Callable[[], None], size: int, grant: Grant | None = None) -> None:
        """Run `job` on an upload thread once `size` more bytes may be in flight.

        At once with a grant of them, which is released afterwards.
        """
        ticket = self.window.enter(size, grant)
        try:
            self._pool.submit(logs.carry(self._run), job, ticket)
        except BaseException:
            ticket.leave()
            raise

    def _run(self, job: Callable[[], None], ticket: Ticket) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 -- told to the archive's thread by way of the scope
            self.scope.fail(error)
        finally:
            ticket.leave()


class MultipartUpload:
    """One large object. Parts are added by one thread; the last to finish completes or abandons it.

    `on_part` is called for each part that S3 has, and `done` when the object is visible, on whichever thread
    that is. When the upload fails, `keep` says whether its parts stay for a later attempt to resume.
    """

    def __init__(
        self,
        uploader: Uploader,
        key: str,
        about: Description,
        *,
        resume: tuple[str, list[UploadedPart]] | None = None,
    ) -> None:
        self._uploader = uploader
        self.key = key
        self._lock = threading.Lock()
        self._outstanding = 1  # the thread that adds parts counts as one until it is through
        self._room = threading.Semaphore(_PARTS_IN_FLIGHT)
        self._finish: Callable[[], None] | None = None
        if resume is None:
            self.upload_id = uploader.store.create_upload(key, about)
            self._parts: dict[int, UploadedPart] = {}
        else:
            self.upload_id = resume[0]
            self._parts = {part.number: part for part in resume[1]}
        self.next_number = len(self._parts) + 1
        self.on_part: Callable[[UploadedPart], None] | None = None
        self.keep: Callable[[], bool] = lambda: False

    def take_number(self) -> int:
        """The next part's, in the order of their bytes."""
        number, self.next_number = self.next_number, self.next_number + 1
        return number

    def add(self, number: int, buffers: list[Buffer], size: int, grant: Grant) -> None:
        """Send a part on another thread; its grant is released then.

        Raises what the scope ended with.
        """
        store, scope = self._uploader.store, self._uploader.scope
        with self._lock:
            self._outstanding += 1

        def job() -> None:
            try:
                part = store.upload_part(
                    self.key, self.upload_id, buffers, scope, number=number, crc=crc_of(buffers)
                )
                self._arrived(part)
            finally:
                self._room.release()
                self._settle()

        try:
            while not self._room.acquire(timeout=1.0):
                scope.check()
            self._uploader.submit(job, size, grant)
        except BaseException:
            grant.release()
            self._settle()
            raise

    def open_part(self, number: int, size: int) -> StreamedPart:
        """Begin a part whose bytes the caller sends as they come; `close_part` ends it."""
        store, scope = self._uploader.store, self._uploader.scope
        return store.open_part(self.key, self.upload_id, size, scope, number=number)

    def close_part(self, streamed: StreamedPart) -> None:
        """Raises as the part does."""
        self._arrived(streamed.finish())

    def _arrived(self, part: UploadedPart) -> None:
        with self._lock:
            self._parts[part.number] = part
        if self.on_part is not None:
            self.on_part(part)

    def complete(self, crc: int, size: int, done: Callable[[], None]) -> None:
        """Every check has passed: make the object visible as soon as the last part is there."""

        def finish() -> None:
            parts = [self._parts[number] for number in sorted(self._parts)]
            if self._uploader.scope.ended or len(parts) != self.next_number - 1:
                self._abort()
                return
            try:
                self._uploader.store.complete_upload(self.key, self.upload_id, parts, crc, size)
            except BaseException:
                self._abort()
                raise
            done()

        self._finish = finish
        self._settle()

    def abandon(self) -> None:
        """Nothing becomes visible."""
        self._finish = self._abort
        self._settle()

    def leave(self) -> None:
        """Wait for the parts in flight and leave all as it is, for another attempt to resume.

        Raises what the scope ended with.
        """
        for _ in range(_PARTS_IN_FLIGHT):
            while not self._room.acquire(timeout=1.0):
                self._uploader.scope.check()

    def _abort(self) -> None:
        if self.keep():
            return
        # Best effort: the bucket's lifecycle rule ends what is left of an upload in a few days.
        try:
            self._uploader.store.abort_upload(self.key, self.upload_id)
        except (AwsError, AwsUnreachable) as error:
            _log.warning(
                "An unfinished upload could not be aborted", extra={"key": self.key, "error": str(error)}
            )

    def _settle(self) -> None:
        with self._lock:
            self._outstanding -= 1
            last = self._outstanding == 0
        if last and self._finish is not None:
            self._finish()
