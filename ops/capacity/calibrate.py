"""`python -m ops.capacity.calibrate`: what `make bench` measured becomes the model's calibration.

Reads worker.json and runs.json, and orchestrator.json where `make bench-orchestrator` ran too, checks that
all that the model needs is there, writes calibration.json and says what changed. Exits 2 where it is not.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from ops.capacity.calibration import FILE

_DIRECTORY = Path(".local/bench")
_OURS = "ours"
_FAST = ("large", "small", "sparse")
# Of the slow shapes, the first that was run: both are what a worker of this system does all day.
_MANY = ("slow500", "slow1000")
_FILES_AN_EVENT = 10

Json = dict[str, Any]


class NotACalibration(ValueError):
    """The benchmark's files lack something that the model needs."""


def calibration(directory: Path, known: Json) -> Json:
    """The document for calibration.json; the orchestrator's part is kept where it was not measured again."""
    worker, runs = (_read(directory / name) for name in ("worker.json", "runs.json"))
    its = runs.get("machine", {})
    measured: Json = {shape: _fast(worker, shape) for shape in _FAST}
    return {
        "source": f"one run of make bench at BENCH_SCALE={runs.get('scale', 0):g} "
        f"{'over TLS' if runs.get('tls') else 'without TLS'}, program {_OURS}, medians of its rounds",
        "date": datetime.fromtimestamp((directory / "worker.json").stat().st_mtime, UTC).date().isoformat(),
        "machine": f"{its.get('cores')} cores of {_processor()}, Linux {its.get('kernel')}, Python "
        f"{its.get('python')}, load average {its.get('load_average_before')} before",
        "worker": {**measured, "many": _many(worker, runs)},
        "orchestrator": _orchestrator(directory, known),
    }


def changes(before: Json, after: Json, path: str = "") -> Iterator[str]:
    """A line for each figure that differs, with by how much."""
    for name in sorted({*before, *after}):
        old, new, where = before.get(name), after.get(name), f"{path}{name}"
        if isinstance(old, dict) or isinstance(new, dict):
            yield from changes(old or {}, new or {}, f"{where}.")
        elif old != new:
            both = all(isinstance(value, int | float) for value in (old, new))
            by = f"  ({new / old - 1:+.0%})" if both and old else ""
            yield f"{where}: {old} -> {new}{by}"


def _read(file: Path) -> Json:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotACalibration(f"{file} is not there: run make bench with all shapes") from error
    except ValueError as error:
        raise NotACalibration(f"{file} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise NotACalibration(f"{file} holds no object")
    return document


def _fast(worker: Json, shape: str) -> Json:
    its = _ours(worker, shape)
    return {
        "cpu_s_per_gb": _figure(its, shape, "cpu_s_per_gb"),
        "peak_rss_mb": _figure(its, shape, "peak_rss_mb"),
        "downloads": 1,
    }


def _many(worker: Json, runs: Json) -> Json:
    shape = next((shape for shape in _MANY if shape in worker), _MANY[0])
    its, of = _ours(worker, shape), _ours(runs.get("runs", {}), shape)
    if not isinstance(of, list) or not of:
        raise NotACalibration(f"runs.json has no run of {shape} by {_OURS}")
    per_gb = median(_figure(run, shape, "cpu_s") / (_figure(run, shape, "output_bytes") / 1e9) for run in of)
    return {
        "shape": shape,
        "cpu_s_per_gb": round(per_gb, 3),
        "peak_rss_mb": _figure(its, shape, "peak_rss_mb"),
        "downloads": int(_figure(of[0].get("paced") or {}, shape, "lanes")),
    }


def _ours(shapes: Json, shape: str) -> Any:
    try:
        return shapes[shape][_OURS]
    except (KeyError, TypeError) as error:
        raise NotACalibration(
            f"there are no figures of {_OURS} on {shape}: only a run of all shapes writes them"
        ) from error


def _figure(of: Mapping[str, Any], shape: str, name: str) -> float:
    value = of.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise NotACalibration(f"{shape}: {name} is {value!r}, and has to be a number above zero")
    return float(value)


def _orchestrator(directory: Path, known: Json) -> Json:
    file = directory / "orchestrator.json"
    if not file.exists():
        return dict(known["orchestrator"])
    its = _read(file)
    file_s = _figure(its, "orchestrator", "cpu_us_per_file_1m_files") / 1e6
    event_s = _figure(its, "orchestrator", "cpu_ms_per_event_10_files") / 1e3
    return {
        "source": "make bench-orchestrator, "
        + datetime.fromtimestamp(file.stat().st_mtime, UTC).date().isoformat(),
        "cpu_s_per_job": round(max(0.0, event_s - _FILES_AN_EVENT * file_s), 6),
        "cpu_s_per_file": file_s,
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return "an unnamed processor"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m ops.capacity.calibrate", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("directory", nargs="?", type=Path, default=_DIRECTORY, help="of the benchmark")
    parser.add_argument("--file", type=Path, default=FILE, help="the calibration to write")
    options = parser.parse_args(arguments)
    known = json.loads(FILE.read_text(encoding="utf-8"))
    try:
        found = calibration(options.directory, known)
    except NotACalibration as error:
        print(f"nothing written: {error}", file=sys.stderr)
        return 2
    options.file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print("\n".join(changes(known, found)) or "nothing changed")
    print(f"written to {options.file}; now: make capacity-check")
    return 0


if __name__ == "__main__":
    sys.exit(main())
