"""The benchmark in one go: `make bench`. See README.md.

Rounds are interleaved, so that whatever else the machine does falls on everybody alike. BENCH_SCALE (1)
scales the archives; BENCH_SHAPES and BENCH_PROGRAMS (all) name the ones to run, while working on something.
Exits 1 when a program did not send every byte right; a missed target is said, not an error.
"""

import os
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

from benchmarks import report
from benchmarks.archives import SHAPES, Archive, prepare
from benchmarks.measure import Bench, Measurement, WrongOutput
from benchmarks.programs import LIMIT, OURS, PEERS, programs
from benchmarks.services import service
from benchmarks.targets import SLOW_LANES, Target, targets

DIRECTORY = Path(".local/bench")
ROUNDS = 3
# A peer needs five to ten minutes for 100,000 small objects; its rate is known long before.
TIME_BOX_S = {"small": 20.0}


def main() -> None:
    scale = float(os.environ.get("BENCH_SCALE") or 1)
    shapes = (os.environ.get("BENCH_SHAPES") or " ".join(SHAPES)).split()
    commands = programs()
    chosen = (os.environ.get("BENCH_PROGRAMS") or " ".join(commands)).split()
    print("Preparing the archives...", flush=True)
    archives = {shape: prepare(SHAPES[shape], scale, DIRECTORY / "archives") for shape in shapes}
    runs: dict[str, dict[str, list[Measurement]]] = {shape: defaultdict(list) for shape in shapes}
    with (
        service("benchmarks.server", str(DIRECTORY / "archives")) as server,
        service("benchmarks.sink") as sink,
    ):
        bench = Bench(server, sink, DIRECTORY)
        for number in range(ROUNDS):
            for shape, archive in archives.items():
                _warm(archive)
                for name in (name for name in commands if name in chosen and _takes_part(name, shape)):
                    try:
                        run = bench.run(
                            commands[name],
                            archive,
                            slow_lanes=SLOW_LANES if shape == "slow64" else 0,
                            time_box_s=TIME_BOX_S.get(shape) if name in PEERS else None,
                        )
                    except WrongOutput as error:
                        sys.exit(f"{name} on {shape} does not count: {error}")
                    runs[shape][name].append(run)
                    print(
                        f"round {number + 1}/{ROUNDS}  {shape:7} {name:13} {run.mb_per_s:8.1f} MB/s "
                        f"{run.cpu_s_per_gb:8.2f} CPU s/GB",
                        flush=True,
                    )
    if not _complete(runs):
        report.show(runs, [])
        return
    report.write(DIRECTORY, runs, scale)
    report.show(runs, _verdicts(runs, archives))
    print(f"Medians are in {DIRECTORY / 'worker.json'}, every run in {DIRECTORY / 'runs.json'}.")


def _takes_part(name: str, shape: str) -> bool:
    return shape != "slow64" or name == OURS


def _warm(archive: Archive) -> None:
    """Have the page cache hold the archive, so that no program waits for the disk in another's stead."""
    with archive.file.open("rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def _complete(runs: dict[str, dict[str, list[Measurement]]]) -> bool:
    return all(OURS in runs.get(shape, {}) for shape in SHAPES) and LIMIT in runs["large"]


def _verdicts(runs: dict[str, dict[str, list[Measurement]]], archives: dict[str, Archive]) -> list[Target]:
    results = {
        shape: {name: report.figures(of_program) for name, of_program in programs.items()}
        for shape, programs in runs.items()
    }
    wanted = {shape: archive.wanted_compressed_bytes for shape, archive in archives.items()}
    slowest = median(run.half_way[0] for run in runs["slow64"][OURS] if run.half_way is not None)
    return list(targets(results, wanted, slowest))


if __name__ == "__main__":
    main()
