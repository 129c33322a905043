"""How much memory planning takes: many archives with huge directories at once, in one process.

    python -m benchmarks.planning_memory [--archives 32] [--entries 1000000] [--limit-mib 2048]

Each archive is read, judged and planned within the byte budget of a 4 GiB container by the worker's own code;
the metadata table and the bucket are stand-ins that know every file and hold no object. All plans are then
kept at once, as they are while their payloads are fetched, and worked off: every wanted entry is made and
every line of the entries manifest written. Prints JSON; ends with 1 if more than the limit was ever resident.
"""

import argparse
import json
import os
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import cast

from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.scope import Scope, scope_of
from runtime.worker.archive import Limits, read_directory
from runtime.worker.aws.objects import ObjectStore
from runtime.worker.bounds.budget import ByteBudget
from runtime.worker.fetch.spool import Scratch
from runtime.worker.manifest.manifest import entry_lines
from runtime.worker.plan.metadata import Expected, MetadataItem, MetadataTable
from runtime.worker.plan.planner import PLANNING_BYTES, Planner
from runtime.worker.plan.scratch_workspace import scratch_workspace
from runtime.worker.plan.spans import ByteSpan, Pieces, pieces

_MIB = 1024 * 1024
_BUDGET_BYTES = 768 * _MIB  # of a container of 4 GiB
NAME = "exports/2026/11/{:04d}/{:>0144d}.json"
PAYLOAD_BYTES = 1_000


class Source:
    """An archive of which only the directory exists, in a file that all archives share."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        self._descriptor = descriptor
        self._start = start
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset - self._start)


class AllExpected:
    """A metadata table that knows every file."""

    def read(self, _job: str, paths: Sequence[str], _scope: Scope) -> dict[str, MetadataItem]:
        sha256, kind = "ab" * 32, "application/json"
        return {path: Expected(PAYLOAD_BYTES, sha256, kind, None) for path in paths}


class EmptyBucket:
    """A bucket in which nothing is."""

    def list_from(self, _prefix: str, _after: str) -> tuple[dict[str, int], bool]:
        return {}, False


def directory_of(entries: int, crc32: int = 0) -> Iterator[bytes]:
    """The central directory and end records of an archive with so many stored files, 246 bytes an entry."""
    span = 0
    size = 0
    for index in range(entries):
        name = NAME.format(index % 10_000, index).encode()
        extra = struct.pack("<2HBL", 0x5455, 5, 1, 0) + struct.pack("<2H12x", 0x000D, 12)
        record = struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0x21, crc32, PAYLOAD_BYTES, PAYLOAD_BYTES,
            len(name), len(extra), 0, 0, 0, 0o100644 << 16, min(span, 0xFFFFFFFF),
        )  # fmt: skip
        span += 30 + len(name) + PAYLOAD_BYTES
        size += len(record) + len(name) + len(extra)
        yield record + name + extra
    yield struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, size, span)
    yield struct.pack("<4sLQL", b"PK\6\7", 0, span + size, 1)
    yield struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


def write_source(folder: Path, entries: int, crc32: int = 0) -> Source:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.writelines(directory_of(entries, crc32))
        file.flush()
        span = entries * (30 + len(NAME.format(0, 0)) + PAYLOAD_BYTES)
        return Source(os.dup(file.fileno()), span, span + file.tell())


def resident_bytes(field: str = "VmRSS") -> int:
    """The process's own, now or (VmHWM) at most so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"the system does not say {field}")


def work(source: Source, budget: ByteBudget, scratch: Scratch, together: threading.Barrier) -> int:
    """One archive's way but for its payload; returns how many entries were wanted."""
    limits = Limits()
    planner = Planner(
        limits=limits,
        metadata=cast("MetadataTable", AllExpected()),
        store=cast("ObjectStore", EmptyBucket()),
        object_prefix="exports/",
        allowed_destinations=("exports/",),
    )
    with scope_of(Cancellation()) as scope, scratch_workspace(scratch) as workspace:
        with budget.acquire(PLANNING_BYTES, scope):
            directory = read_directory(source, limits, workspace=workspace)
            plan = planner.plan("job", directory, scope)
        _say(f"planned {len(directory)} entries")
        together.wait()
        wanted = 0
        for span in _spans(pieces(plan.wanted, 65_536, 4)):
            for entry in span.entries:
                entry.result.uploaded()
                wanted += 1
        lines = sum(chunk.count(b"\n") for chunk in entry_lines(plan.results))
        if lines != wanted:
            raise RuntimeError(f"{lines} lines for {wanted} entries")
        _say(f"worked off {wanted} entries")
        return wanted


def _spans(work: Pieces) -> Iterator[ByteSpan]:
    with suppress(IndexError):
        while True:
            yield from work.popleft()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}; {resident_bytes() // _MIB} MiB resident\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--archives", type=int, default=32)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--limit-mib", type=int, default=2_048)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="planning-") as name:
        folder = Path(name)
        source = write_source(folder, options.entries)
        scratch = Scratch(folder, 100 * 1024 * _MIB)
        budget = ByteBudget(_BUDGET_BYTES, places=options.archives)
        together = threading.Barrier(options.archives)
        before, started = resident_bytes(), time.monotonic()
        with ThreadPoolExecutor(options.archives) as pool:
            done = [pool.submit(work, source, budget, scratch, together) for _ in range(options.archives)]
            entries = sum(future.result() for future in done)
    peak = resident_bytes("VmHWM")
    report = {
        "archives": options.archives,
        "entries": entries,
        "resident_before_mib": round(before / _MIB),
        "resident_peak_mib": round(peak / _MIB),
        "limit_mib": options.limit_mib,
        "microseconds_per_entry": round((time.monotonic() - started) * 1e6 / entries, 1),
    }
    print(json.dumps(report))
    return 0 if peak <= options.limit_mib * _MIB else 1


if __name__ == "__main__":
    sys.exit(main())
