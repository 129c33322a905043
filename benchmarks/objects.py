"""What the sink has received, checked against what each archive holds: CRC-32 and size of every object.

Nothing is kept of an object but its CRC-32 and length, so the sink's cost is that of receiving. A program
that sends the wrong bytes, too few objects or objects that are not wanted is named in the report.
"""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isal.isal_zlib import crc32_combine

Sum = tuple[int, int]  # CRC-32 and length

MANIFESTS = "/manifests/"


@dataclass(kw_only=True)
class Objects:
    """The objects of one run."""

    expected: dict[str, Sum] = field(default_factory=dict)
    right: set[str] = field(default_factory=set)
    wrong: dict[str, str] = field(default_factory=dict)
    bytes_right: int = 0
    manifests: int = 0
    requests: int = 0
    first_object_at: float | None = None

    @classmethod
    def expecting(cls, instruction: dict[str, Any]) -> "Objects":
        """`{"index": file of archives.prepare, "bucket": name, "jobs": [ids]}`"""
        entries = json.loads(Path(instruction["index"]).read_text())
        return cls(
            expected={
                f"/{instruction['bucket']}/exports/{job}/{entry['path']}": (entry["crc32"], entry["size"])
                for job in instruction["jobs"]
                for entry in entries
                if entry["wanted"]
            }
        )

    def put(self, target: str, received: Sum) -> None:
        """A whole object has arrived."""
        self.requests += 1
        if self.expected.get(target) == received:
            # An object that is sent twice counts once.
            if target not in self.right:
                self.right.add(target)
                self.bytes_right += received[1]
                if self.first_object_at is None:
                    self.first_object_at = time.monotonic()
        elif MANIFESTS in target:
            self.manifests += 1
        else:
            expected = self.expected.get(target)
            self.wrong[target] = f"got CRC-32 and length {received}, expected {expected or 'no such object'}"

    def report(self) -> dict[str, Any]:
        missing = len(self.expected) - len(self.right)
        return {
            "objects": len(self.right),
            "bytes": self.bytes_right,
            "missing": missing,
            "wrong": len(self.wrong),
            "examples": dict(list(self.wrong.items())[:3]),
            "manifests": self.manifests,
            "requests": self.requests,
            "first_object_at": self.first_object_at,
        }


def joined(parts: list[Sum]) -> Sum:
    """The CRC-32 and length of the parts put together in this order."""
    crc, length = 0, 0
    for part_crc, part_length in parts:
        crc = crc32_combine(crc, part_crc, part_length)
        length += part_length
    return crc, length
