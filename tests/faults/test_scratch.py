"""The disk that fills, in a process of its own because a mount namespace belongs to one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import ctypes, os, sys
from pathlib import Path
from local.faults.campaign import scratch

if sys.argv[2] == "unprivileged":
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    ctypes.CDLL(None).prctl(4, 1)  # dumpable again, as a process is that was started without root
refusal = scratch.enter_namespace()
if refusal:
    print(refusal)
    sys.exit(77)
disk = scratch.mount_disk(Path(sys.argv[1]), 1 << 20)
disk.fill()
try:
    (disk.path / "file").write_bytes(bytes(8192))
    sys.exit("there was room")
except OSError:
    pass
disk.empty()
(disk.path / "other").write_bytes(bytes(8192))
"""


@pytest.mark.parametrize("unprivileged", [False, True])
def test_fills_and_empties_and_leaves_nothing(tmp_path: Path, unprivileged: bool) -> None:
    if unprivileged and os.getuid() != 0:
        pytest.skip("without root both ways are the same")
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:3]:  # pytest's own are for root only
        parent.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "disk"), "unprivileged" if unprivileged else ""],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "disk").exists() or not list((tmp_path / "disk").iterdir())
