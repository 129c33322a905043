"""How far the unfinished uploads of large entries are, kept where the next worker finds it.

What is saved is a hint, never trusted: the parts are compared with what S3 lists, and the object's checksums
decide at the end. A hint that turns out wrong costs the time to fetch the entry again.
"""

import hashlib
import json
import threading
import zlib
from dataclasses import asdict, dataclass
from typing import Protocol

from runtime.shared.sizes import MIB
from runtime.worker.archive import ReaderState

_MOST_STATE_BYTES = MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """An unfinished upload whose first `parts` parts hold what the entry gave up to `reader`."""

    key: str
    upload_id: str
    archive: str
    """The archive's ETag."""
    entry_crc32: int
    entry_size: int
    parts: int
    etags: str
    """The SHA-256 of the parts' ETags, which tells whether S3 still holds these very parts."""
    sha256_state: str | None
    """Hexadecimal; None when there is no SHA-256 to check."""
    reader: ReaderState

    @property
    def size(self) -> int:
        """Bytes of the file that are in the parts."""
        return self.reader.produced

    def encode(self) -> bytes:
        """One line of JSON, then the decompressor's state, deflated: 20 to 60 KB of 87."""
        document = asdict(self)
        decoder: bytes = document["reader"].pop("decoder")
        return json.dumps(document).encode() + b"\n" + zlib.compress(decoder, 1)

    @classmethod
    def decode(cls, data: bytes) -> "Checkpoint | None":
        """None for what another version of the worker has left."""
        line, _, decoder = data.partition(b"\n")
        try:
            document = json.loads(line)
            state = zlib.decompressobj().decompress(decoder, _MOST_STATE_BYTES)
            reader = ReaderState(**document.pop("reader"), decoder=state)
            checkpoint = cls(**document, reader=reader)
        except (ValueError, TypeError, KeyError, AttributeError, zlib.error):
            return None
        numbers = (checkpoint.parts, reader.produced, reader.consumed, reader.header_length, reader.crc32)
        return checkpoint if all(isinstance(number, int) for number in numbers) else None


class CheckpointStore(Protocol):
    """Keeps a task's checkpoints from one attempt to the next; fenced by the claim."""

    def load(self, name: str) -> bytes | None: ...
    def save(self, name: str, data: bytes) -> None: ...
    def drop(self, name: str) -> None: ...


class NoStore:
    """Nothing outlives the attempt."""

    def load(self, name: str) -> bytes | None:  # noqa: ARG002 -- the protocol's
        return None

    def save(self, name: str, data: bytes) -> None:
        """Not kept."""

    def drop(self, name: str) -> None:
        """Nothing was kept."""


class Checkpoints:
    """The checkpoints of one task, by object key. Thread-safe; raises what its store raises."""

    def __init__(self, store: CheckpointStore | None = None) -> None:
        self._store = store or NoStore()
        self._lock = threading.Lock()
        self._kept: set[str] = set()

    def get(self, key: str) -> Checkpoint | None:
        """The checkpoint that an earlier attempt has saved of this object, if it can be read."""
        data = self._store.load(_name(key))
        if data is None:
            return None
        with self._lock:
            self._kept.add(key)
        checkpoint = Checkpoint.decode(data)
        return checkpoint if checkpoint is not None and checkpoint.key == key else None

    def put(self, checkpoint: Checkpoint) -> None:
        self._store.save(_name(checkpoint.key), checkpoint.encode())
        with self._lock:
            self._kept.add(checkpoint.key)

    def forget(self, key: str) -> None:
        with self._lock:
            kept = key in self._kept
            self._kept.discard(key)
        if kept:
            self._store.drop(_name(key))


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]
