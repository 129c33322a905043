"""The benchmark's table, its verdicts, and the JSON that others read."""

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Measurement
from benchmarks.programs import OURS
from benchmarks.targets import Figures, Target

Runs = Mapping[str, Mapping[str, Sequence[Measurement]]]


def figures(runs: Sequence[Measurement]) -> Figures:
    return Figures(
        mb_per_s=round(median(run.mb_per_s for run in runs), 2),
        cpu_s_per_gb=round(median(run.cpu_s_per_gb for run in runs), 3),
        peak_rss_mb=round(median(run.peak_rss_mb for run in runs), 1),
        bytes_fetched=int(median(run.bytes_fetched for run in runs)),
    )


def write(directory: Path, runs: Runs, scale: float) -> None:
    """`worker.json`: the medians; `runs.json`: every run, and on what machine."""
    medians = {
        shape: {name: asdict(figures(of_program)) for name, of_program in programs.items()}
        for shape, programs in runs.items()
    }
    (directory / "worker.json").write_text(json.dumps(medians, indent=2) + "\n")
    every = {
        "machine": {
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
        "scale": scale,
        "runs": {
            shape: {name: [asdict(run) for run in of_program] for name, of_program in programs.items()}
            for shape, programs in runs.items()
        },
    }
    (directory / "runs.json").write_text(json.dumps(every, indent=2) + "\n")


def show(runs: Runs, verdicts: Sequence[Target]) -> None:
    # Piped into a file there is no terminal to fit into.
    console = Console() if sys.stdout.isatty() else Console(width=120)
    for shape, programs in runs.items():
        console.print(_table(shape, programs))
    if any(run.stopped for programs in runs.values() for of in programs.values() for run in of):
        console.print("* stopped when its time was up: rates from its first object on, fetched until then")
    for target in verdicts:
        verdict = "[green]reached[/]" if target.reached else "[red]missed [/]"
        console.print(
            f"{verdict}  {target.what}: {target.measured} ({target.bound}; "
            f"{abs(target.margin - 1):.0%} {'to spare' if target.reached else 'short'})"
        )


def _table(shape: str, programs: Mapping[str, Sequence[Measurement]]) -> Table:
    table = Table(title=f"{shape} (medians of {len(next(iter(programs.values())))})", title_justify="left")
    table.add_column("")
    for heading in (
        "MB/s out", "(from-to)", "CPU s/GB", "peak RSS MB", "fetched MB",
        "ours is faster", "ours' CPU", "harness CPU s/GB",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    ours = figures(programs[OURS])
    for name, of_program in programs.items():
        its = figures(of_program)
        speeds = [run.mb_per_s for run in of_program]
        harness = median(run.harness_cpu_s / (run.output_bytes / 1e9) for run in of_program)
        table.add_row(
            name + ("*" if any(run.stopped for run in of_program) else ""),
            f"{its.mb_per_s:,.1f}",
            f"{min(speeds):,.1f}-{max(speeds):,.1f}",
            f"{its.cpu_s_per_gb:,.2f}",
            f"{its.peak_rss_mb:,.0f}",
            f"{its.bytes_fetched / 1e6:,.0f}",
            "" if name == OURS else f"x {ours.mb_per_s / its.mb_per_s:.2f}",
            "" if name == OURS else f"{ours.cpu_s_per_gb / its.cpu_s_per_gb:.0%}",
            f"{harness:.2f}",
        )
    return table
