"""A small disk of the campaign's own that can be filled: a tmpfs in a mount namespace of this process.

As root a mount namespace is enough; without root a user namespace brings the right to mount. Where a machine
allows neither, the campaign leaves the disk alone and says so. Nothing of it outlives the process.
"""

import ctypes
import errno
import os
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_PIECE = bytes(1 << 16)


class ScratchDisk:
    """A mounted disk of `size` bytes; `filled` is whether there is no room on it now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Leave no room, as a neighbour's forgotten files would."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(_PIECE)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)


def enter_namespace() -> str | None:
    """Give this process mounts of its own; None, or why that is not possible here.

    To be called before any thread exists: a namespace belongs to a thread and those it starts.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    flags = _CLONE_NEWNS if uid == 0 else _CLONE_NEWNS | _CLONE_NEWUSER
    if libc.unshare(flags):
        return f"this machine allows no mount namespace: {os.strerror(ctypes.get_errno())}"
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    if libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None):
        return f"the mounts cannot be made private: {os.strerror(ctypes.get_errno())}"
    return None


def mount_disk(path: Path, size: int) -> ScratchDisk:
    """Mount a disk of this size in bytes. Raises OSError."""
    path.mkdir(parents=True, exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"size={size},mode=0777".encode()
    if libc.mount(b"tmpfs", os.fsencode(path), b"tmpfs", 0, options):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    return ScratchDisk(path)
