"""A large entry, which can be resumed in the middle after any interruption.

A stored entry's bytes are the archive's own, so a position in one is a position in the other; a deflated one
takes the decompressor's state along. After each part the place is noted, and at times it is saved: parts,
place, CRC-32, SHA-256. Whoever goes on from it checks it against what S3 holds, and fetches only what is
missing.
"""

import hashlib
import threading
from dataclasses import dataclass

from runtime.shared.sizes import MIB
from runtime.worker.archive import ReaderState
from runtime.worker.aws.objects import UploadedPart
from runtime.worker.plan.wanted import Wanted
from runtime.worker.transfer.checkpoints import Checkpoint
from runtime.worker.transfer.transfer import Transfer

# With the parts on their way, and the one being filled, what a crash loses stays below 64 MB.
SAVE_EVERY_BYTES = 24 * MIB


@dataclass(frozen=True)
class Resumed:
    """Where to go on: `parts` are in S3 already."""

    checkpoint: Checkpoint
    parts: list[UploadedPart]


def find_resumed(transfer: Transfer, wanted: Wanted) -> Resumed | None:
    """An earlier attempt's upload of this entry, if it still stands and is of this very entry."""
    checkpoint = transfer.checkpoints.get(wanted.key)
    if checkpoint is None:
        return None
    entry, store = wanted.entry, transfer.uploader.store
    parts = store.uploaded_parts(wanted.key, checkpoint.upload_id)[: checkpoint.parts]
    same = (
        checkpoint.archive == transfer.archive.identity.etag
        and (checkpoint.entry_crc32, checkpoint.entry_size) == (entry.crc32, entry.size)
        and (checkpoint.sha256_state is None) == (wanted.expected.sha256 is None)
        and [part.number for part in parts] == list(range(1, checkpoint.parts + 1))
        and sum(part.size for part in parts) == checkpoint.size
        and _digest(parts) == checkpoint.etags
    )
    if same:
        return Resumed(checkpoint, parts)
    forget(transfer, wanted, checkpoint.upload_id)
    return None


def forget(transfer: Transfer, wanted: Wanted, upload_id: str) -> None:
    """Nothing of this upload is of use."""
    transfer.uploader.store.abort_upload(wanted.key, upload_id)
    transfer.checkpoints.forget(wanted.key)


class Progress:
    """Follows one upload; saves a checkpoint whenever enough more of it is in S3 without a gap."""

    def __init__(self, transfer: Transfer, wanted: Wanted, upload_id: str, resumed: Resumed | None) -> None:
        self._transfer = transfer
        self._wanted = wanted
        self._upload_id = upload_id
        self._lock = threading.Lock()
        self._stopped = False
        self._states: dict[int, tuple[ReaderState | None, bytes | None]] = {}
        self._arrived: dict[int, UploadedPart] = {}
        self._whole: list[UploadedPart] = list(resumed.parts) if resumed else []
        self._place = resumed
        self._saved = resumed.checkpoint.size if resumed else 0

    @property
    def saved(self) -> bool:
        """Whether a later attempt would find something to resume."""
        return self._saved > 0

    @property
    def place(self) -> Resumed | None:
        """The furthest place from which the entry can be resumed: all before it is in S3."""
        with self._lock:
            return self._place

    def reached(self, number: int, reader: ReaderState | None, sha256: bytes | None) -> None:
        """Part `number` ends where the reader is; without its state the entry is not resumed there."""
        with self._lock:
            self._states[number] = (reader, sha256)

    def stop(self) -> None:
        """Save nothing from now on, though parts may still arrive, and forget what was saved."""
        with self._lock:
            self._stopped = True
            self._transfer.checkpoints.forget(self._wanted.key)

    def arrived(self, part: UploadedPart) -> None:
        """S3 has the part. Raises what saving raises."""
        with self._lock:
            self._arrived[part.number] = part
            while (following := self._arrived.pop(len(self._whole) + 1, None)) is not None:
                self._whole.append(following)
                reader, sha256 = self._states.pop(following.number)
                if reader is not None:
                    self._place = Resumed(self._checkpoint(reader, sha256), list(self._whole))
            place = self._place
            if self._stopped or place is None or place.checkpoint.size - self._saved < SAVE_EVERY_BYTES:
                return
            self._saved = place.checkpoint.size
            self._transfer.checkpoints.put(place.checkpoint)

    def save(self) -> None:
        """The work ends here for now: keep all that has been achieved. Raises what saving raises."""
        with self._lock:
            place = self._place
            if not self._stopped and place is not None and place.checkpoint.size > self._saved:
                self._transfer.checkpoints.put(place.checkpoint)
                self._saved = place.checkpoint.size

    def _checkpoint(self, reader: ReaderState, sha256: bytes | None) -> Checkpoint:
        entry = self._wanted.entry
        return Checkpoint(
            key=self._wanted.key,
            upload_id=self._upload_id,
            archive=self._transfer.archive.identity.etag or "",
            entry_crc32=entry.crc32,
            entry_size=entry.size,
            parts=len(self._whole),
            etags=_digest(self._whole),
            sha256_state=sha256.hex() if sha256 is not None else None,
            reader=reader,
        )


def _digest(parts: list[UploadedPart]) -> str:
    return hashlib.sha256(",".join(part.etag.strip('"') for part in parts).encode()).hexdigest()
