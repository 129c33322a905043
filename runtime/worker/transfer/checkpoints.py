"""How far the unfinished uploads of stored entries are, kept where the next worker finds it.

What is saved is a hint, never trusted: the parts are compared with what S3 lists, and the object's checksums
decide at the end. A hint that turns out wrong costs the time to fetch the entry again.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass

_MOST = 32  # entries at a time; the ledger's item has limited room


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """An unfinished upload whose first `parts` parts hold the entry's first `size` bytes."""

    key: str
    upload_id: str
    archive: str
    """The archive's ETag."""
    entry_crc32: int
    entry_size: int
    parts: int
    size: int
    crc32: int
    """Of the first `size` bytes."""
    sha256_state: str | None
    """Hexadecimal; None when there is no SHA-256 to check."""
    etags: str
    """The SHA-256 of the parts' ETags, which tells whether S3 still holds these very parts."""


class Checkpoints:
    """The checkpoints of one task; `save` writes them all as one text. Thread-safe."""

    def __init__(self, text: str = "", save: Callable[[str], None] = lambda _text: None) -> None:
        self._lock = threading.Lock()
        self._save = save
        self._by_key: dict[str, Checkpoint] = {}
        try:
            for fields in json.loads(text or "[]"):
                checkpoint = Checkpoint(**fields)
                self._by_key[checkpoint.key] = checkpoint
        except (ValueError, TypeError):
            self._by_key.clear()  # of another version of the worker: begin anew

    def get(self, key: str) -> Checkpoint | None:
        with self._lock:
            return self._by_key.get(key)

    def all(self) -> list[Checkpoint]:
        with self._lock:
            return list(self._by_key.values())

    def put(self, checkpoint: Checkpoint) -> None:
        """Raises what `save` raises."""
        with self._lock:
            if checkpoint.key in self._by_key or len(self._by_key) < _MOST:
                self._by_key[checkpoint.key] = checkpoint
                self._write()

    def forget(self, key: str) -> None:
        """Raises what `save` raises."""
        with self._lock:
            if self._by_key.pop(key, None) is not None:
                self._write()

    def _write(self) -> None:
        self._save(json.dumps([asdict(checkpoint) for checkpoint in self._by_key.values()]))
