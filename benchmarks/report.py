"""The benchmark's JSON, and the tables and verdicts made of it: `python -m benchmarks.report [DIRECTORY]`.

`worker.json` has the medians, `runs.json` every run, on what machine and Python, and whether over TLS. The
tables are Markdown, to be put into README.md as they are.
"""

import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import Measurement
from benchmarks.programs import OURS
from benchmarks.targets import Figures, SlowFigures, targets

DIRECTORY = Path(".local/bench")

Runs = Mapping[str, Mapping[str, Sequence[Measurement]]]


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """All runs of one `make bench`, and what has to be known to read them."""

    machine: Mapping[str, Any]
    scale: float
    tls: bool
    wanted_bytes: Mapping[str, int]
    runs: Runs

    def write(self, directory: Path) -> None:
        every = {
            "machine": self.machine,
            "scale": self.scale,
            "tls": self.tls,
            "wanted_bytes": self.wanted_bytes,
            "runs": {
                shape: {name: [asdict(run) for run in of_program] for name, of_program in programs.items()}
                for shape, programs in self.runs.items()
            },
        }
        (directory / "runs.json").write_text(json.dumps(every, indent=2) + "\n")
        results: dict[str, Mapping[str, Figures | SlowFigures]] = {**self.figures(), **self.slow_figures()}
        medians = {
            shape: {name: asdict(figures) for name, figures in programs.items()}
            for shape, programs in results.items()
        }
        (directory / "worker.json").write_text(json.dumps(medians, indent=2) + "\n")

    @classmethod
    def read(cls, directory: Path) -> "Campaign":
        every = json.loads((directory / "runs.json").read_text())
        runs = {
            shape: {name: [Measurement.from_json(run) for run in of] for name, of in programs.items()}
            for shape, programs in every.pop("runs").items()
        }
        return cls(**every, runs=runs)

    def figures(self) -> dict[str, dict[str, Figures]]:
        """Of the shapes that are served as fast as they are taken."""
        return {
            shape: {name: _figures(of) for name, of in programs.items()}
            for shape, programs in self.runs.items()
            if not _is_slow(programs)
        }

    def slow_figures(self) -> dict[str, dict[str, SlowFigures]]:
        return {
            shape: {name: _slow_figures(of) for name, of in programs.items()}
            for shape, programs in self.runs.items()
            if _is_slow(programs)
        }


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average_before": round(os.getloadavg()[0], 1),
    }


def markdown(campaign: Campaign) -> Iterator[str]:
    """The lines of the tables."""
    its = campaign.machine
    yield (
        f"Python {its['python']}, {its['cores']} cores, Linux {its['kernel']}, "
        f"{'TLS' if campaign.tls else 'plain HTTP'}, BENCH_SCALE={campaign.scale:g}, "
        f"load average before the first run {its['load_average_before']}."
    )
    yield ""
    yield from _fast_table(campaign)
    yield from _slow_table(campaign)
    yield "| target | measured | bound | |"
    yield "|---|---|---|---|"
    for target in targets(campaign.figures(), campaign.wanted_bytes, campaign.slow_figures()):
        verdict = "reached" if target.reached else "**missed**"
        room = f"{abs(target.margin - 1):.0%} {'to spare' if target.reached else 'short'}"
        yield f"| {target.what} | {target.measured} | {target.bound} | {verdict}, {room} |"


def _fast_table(campaign: Campaign) -> Iterator[str]:
    shapes = campaign.figures()
    if not shapes:
        return
    yield (
        "| shape | program | MB/s out | (from-to) | CPU s/GB | peak RSS MB | fetched MB | ours is faster "
        "| ours' CPU | harness CPU s/GB |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for shape, programs in shapes.items():
        ours = programs.get(OURS)
        for name, its in programs.items():
            runs = campaign.runs[shape][name]
            speeds = [run.mb_per_s for run in runs]
            stopped = "*" if any(run.stopped for run in runs) else ""
            faster, cpu = "", ""
            if ours is not None and name != OURS:
                faster = f"{ours.mb_per_s / its.mb_per_s:.2f} times"
                cpu = f"{ours.cpu_s_per_gb / its.cpu_s_per_gb:.0%}"
            harness = median(run.harness_cpu_s / (run.output_bytes / 1e9) for run in runs)
            yield (
                f"| {shape} | {name}{stopped} | {its.mb_per_s:,.1f} | {min(speeds):,.1f}-{max(speeds):,.1f} "
                f"| {its.cpu_s_per_gb:,.2f} | {its.peak_rss_mb:,.0f} | {its.bytes_fetched / 1e6:,.0f} "
                f"| {faster} | {cpu} | {harness:.2f} |"
            )
    yield ""
    if any(run.stopped for shape in shapes for of in campaign.runs[shape].values() for run in of):
        yield "\\* stopped when its time was up: rates from its first object on, fetched until then."
        yield ""


def _slow_table(campaign: Campaign) -> Iterator[str]:
    shapes = campaign.slow_figures()
    if not shapes:
        return
    yield (
        "| shape | program | offered MB/s | slowest reached | median reached | peak RSS MB | vCPU "
        "| harness vCPU | of it pacing | slices late, ms (median, 99 %, worst) |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for shape, programs in shapes.items():
        for name, its in programs.items():
            runs = campaign.runs[shape][name]
            paced = [run.paced for run in runs if run.paced is not None]
            late = ", ".join(f"{median(of) * 1e3:.0f}" for of in zip(*(p.late_s for p in paced), strict=True))
            pacing = median(run.paced.pacing_cpu_s / run.seconds for run in runs if run.paced is not None)
            yield (
                f"| {shape} | {name} | {paced[0].lanes} of {paced[0].offered_mb_per_s / paced[0].lanes:g} "
                f"= {paced[0].offered_mb_per_s:g} | {its.share_slowest:.0%} | {its.share_median:.0%} "
                f"| {its.peak_rss_mb:,.0f} | {its.vcpu:.2f} "
                f"| {median(run.harness_vcpu for run in runs):.2f} | {pacing:.2f} | {late} |"
            )
    yield ""


def _is_slow(programs: Mapping[str, Sequence[Measurement]]) -> bool:
    return any(run.paced is not None for of_program in programs.values() for run in of_program)


def _figures(runs: Sequence[Measurement]) -> Figures:
    return Figures(
        mb_per_s=round(median(run.mb_per_s for run in runs), 2),
        cpu_s_per_gb=round(median(run.cpu_s_per_gb for run in runs), 3),
        peak_rss_mb=round(median(run.peak_rss_mb for run in runs), 1),
        bytes_fetched=int(median(run.bytes_fetched for run in runs)),
    )


def _slow_figures(runs: Sequence[Measurement]) -> SlowFigures:
    paced = [run.paced for run in runs if run.paced is not None]
    return SlowFigures(
        share_slowest=round(median(run.share_slowest for run in paced), 3),
        share_median=round(median(run.share_median for run in paced), 3),
        peak_rss_mb=round(median(run.peak_rss_mb for run in runs), 1),
        vcpu=round(median(run.vcpu for run in runs), 2),
    )


if __name__ == "__main__":
    print("\n".join(markdown(Campaign.read(Path(sys.argv[1]) if len(sys.argv) > 1 else DIRECTORY))))
