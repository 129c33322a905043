"""SHA-256 that can be interrupted: its inner state can be saved, and another process can go on from it.

hashlib cannot do that. OpenSSL, which hashlib itself rests on, keeps the state in a plain structure of 112
bytes, so it is called directly where its functions can be reached. Where not (a Python with OpenSSL linked
in), hashlib does the work, and there is no state to save.
"""

import ctypes
import hashlib
from typing import Any

_STATE_BYTES = 112  # SHA256_CTX: eight words, a length of two, a block of 64 bytes, and two counters
_KNOWN = hashlib.sha256(b"abc").digest()


def _openssl() -> Any:
    """libcrypto as hashlib loaded it, if its SHA-256 works the way it is used here."""
    try:
        import _hashlib

        library = ctypes.CDLL(_hashlib.__file__)
        state, out = ctypes.create_string_buffer(_STATE_BYTES), ctypes.create_string_buffer(32)
        library.SHA256_Init(state)
        library.SHA256_Update(state, b"abc", ctypes.c_size_t(3))
        library.SHA256_Final(out, state)
    except (ImportError, OSError, AttributeError):
        return None
    return library if out.raw == _KNOWN else None


_library = _openssl()


class ResumableSha256:
    """Like hashlib.sha256(), with a state; `state` begins where another one's `state()` was taken."""

    def __init__(self, state: bytes | None = None) -> None:
        self._plain = hashlib.sha256() if _library is None else None
        self._state = ctypes.create_string_buffer(_STATE_BYTES)
        if _library is not None and state is None:
            _library.SHA256_Init(self._state)
        elif _library is not None and state is not None and len(state) == _STATE_BYTES:
            self._state.raw = state
        elif state is not None:
            raise ValueError("this is not a state of SHA-256 that can be gone on from here")

    def update(self, data: bytes | bytearray | memoryview) -> None:
        if self._plain is not None:
            self._plain.update(data)
            return
        address: Any = data
        if isinstance(data, bytearray) or (isinstance(data, memoryview) and not data.readonly):
            address = (ctypes.c_char * len(data)).from_buffer(data)
        elif isinstance(data, memoryview):
            address = bytes(data)  # only a writable buffer lends its address
        _library.SHA256_Update(self._state, address, ctypes.c_size_t(len(data)))

    def hexdigest(self) -> str:
        if self._plain is not None:
            return self._plain.hexdigest()
        copy = ctypes.create_string_buffer(self._state.raw, _STATE_BYTES)
        out = ctypes.create_string_buffer(32)
        _library.SHA256_Final(out, copy)
        return out.raw.hex()

    def state(self) -> bytes | None:
        """The state to resume from; None where that is not possible."""
        return None if self._plain is not None else self._state.raw
