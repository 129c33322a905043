"""The benchmark in one go: `make bench`. See README.md.

Rounds are interleaved, so that whatever else the machine does falls on everybody alike; a slow shape, whose
run is an average over hundreds of downloads already, runs once. BENCH_SCALE (1) scales the archives;
BENCH_SHAPES and BENCH_PROGRAMS (all) name the ones to run, while working on something; BENCH_TLS=0 leaves TLS
out. Exits 1 when a program did not send every byte right; a missed target is said, not an error.
"""

import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence

from benchmarks.archives import SHAPES, Archive, prepare
from benchmarks.measure import Bench, Measurement, WrongOutput
from benchmarks.programs import OURS, PEERS, programs
from benchmarks.report import DIRECTORY, Campaign, machine, markdown
from benchmarks.services import services

ROUNDS = 3
# A peer needs five to ten minutes for 100,000 small objects; its rate is known long before.
TIME_BOX_S = {"small": 20.0}


def main() -> None:
    scale = float(os.environ.get("BENCH_SCALE") or 1)
    shapes = (os.environ.get("BENCH_SHAPES") or " ".join(SHAPES)).split()
    tls = (os.environ.get("BENCH_TLS") or "1") != "0"
    commands = programs()
    chosen = (os.environ.get("BENCH_PROGRAMS") or " ".join(commands)).split()
    print("Preparing the archives...", flush=True)
    folder = DIRECTORY / "archives"
    archives = {shape: prepare(SHAPES[shape], scale, folder) for shape in shapes}
    runs: dict[str, dict[str, list[Measurement]]] = {shape: defaultdict(list) for shape in shapes}
    before = machine()
    with services(DIRECTORY, folder, tls=tls) as running:
        bench = Bench(running, DIRECTORY)
        for number, shape, name in _order(shapes, [name for name in commands if name in chosen]):
            archive = archives[shape]
            _warm(archive)
            time_box_s = TIME_BOX_S.get(shape) if name in PEERS else None
            try:
                run = bench.run(commands[name], archive, SHAPES[shape], time_box_s=time_box_s)
            except WrongOutput as error:
                sys.exit(f"{name} on {shape} does not count: {error}")
            runs[shape][name].append(run)
            print(
                f"round {number + 1}/{ROUNDS}  {shape:8} {name:13} {run.mb_per_s:8.1f} MB/s "
                f"{run.cpu_s_per_gb:8.2f} CPU s/GB",
                flush=True,
            )
    wanted = {shape: archive.wanted_compressed_bytes for shape, archive in archives.items()}
    campaign = Campaign(machine=before, scale=scale, tls=tls, wanted_bytes=wanted, runs=runs)
    print("\n".join(markdown(campaign)))
    if all(OURS in runs.get(shape, {}) for shape in SHAPES):
        campaign.write(DIRECTORY)
        print(f"Medians are in {DIRECTORY / 'worker.json'}, every run in {DIRECTORY / 'runs.json'}.")


def _order(shapes: Sequence[str], names: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Round, shape and program of each run; the slow shapes are only for the worker."""
    for number in range(ROUNDS):
        for shape in shapes:
            if not SHAPES[shape].lanes:
                yield from ((number, shape, name) for name in names)
            elif number == 0 and OURS in names:
                yield number, shape, OURS


def _warm(archive: Archive) -> None:
    """Have the page cache hold the archive, so that no program waits for the disk in another's stead."""
    with archive.file.open("rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


if __name__ == "__main__":
    main()
