"""What is compared: the worker, four peers and the limit, each as a command that takes a job's file."""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

OURS = "ours"
LIMIT = "limit"
STRONGEST = "obstore"
USUAL = ("zipfile", "stream-unzip", "node")
PEERS = (STRONGEST, *USUAL)

_NODE_PEER = Path(__file__).parent / "peers" / "node"
_MODULES = {
    OURS: "benchmarks.ours",
    STRONGEST: "benchmarks.peers.obstore_isal",
    "zipfile": "benchmarks.peers.zipfile_boto3",
    "stream-unzip": "benchmarks.peers.stream_unzip_boto3",
    LIMIT: "benchmarks.peers.limit",
}


def programs() -> Mapping[str, Sequence[str]]:
    """Commands by name, in the table's order; where Node cannot run, its peer is left out with a line."""
    commands: dict[str, Sequence[str]] = {
        name: [sys.executable, "-m", module] for name, module in _MODULES.items()
    }
    missing = _install_node_peer()
    if missing:
        print(f"The Node peer is skipped: {missing}.", flush=True)
    else:
        node = shutil.which("node") or "node"
        commands["node"] = [node, str(_NODE_PEER / "peer.mjs")]
    return {name: commands[name] for name in (OURS, *PEERS, LIMIT) if name in commands}


def _install_node_peer() -> str | None:
    """Install what the Node peer needs; says why when that cannot be done."""
    if shutil.which("node") is None:
        return "there is no node on the PATH"
    installed = _NODE_PEER / "node_modules" / ".package-lock.json"
    lock = _NODE_PEER / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return None
    npm = _npm()
    if npm is None:
        return "there is no npm"
    result = subprocess.run(
        [*npm, "ci", "--silent", "--no-audit", "--no-fund"], cwd=_NODE_PEER, check=False, timeout=300
    )
    return None if result.returncode == 0 else "npm ci failed"


def _npm() -> list[str] | None:
    # Beside the virtual environment's node, whose npm is a script without a launcher on the PATH.
    node = shutil.which("node")
    assert node is not None
    script = Path(node).resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if script.exists():
        return [node, str(script)]
    npm = shutil.which("npm")
    return [npm] if npm else None
