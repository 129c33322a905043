"""The journal of what AWS accepted: one JSON line for each event and each object, for the checker."""

import json
import threading
import time
from pathlib import Path
from typing import Any


class Journal:
    """Appends to a file; every line is whole even when its writer is killed. Called from many threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()

    def record(self, kind: str, **fields: Any) -> None:
        line = json.dumps({"at": round(time.time(), 3), "kind": kind, **fields}) + "\n"
        with self._lock:
            self._file.write(line)

    def close(self) -> None:
        self._file.close()
