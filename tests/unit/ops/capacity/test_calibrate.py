"""The benchmark's files become the calibration, or it is said why not."""

import json

import pytest

from ops.capacity import calibrate
from ops.capacity.calibration import FILE, load_calibration

FAST = {"mb_per_s": 100.0, "cpu_s_per_gb": 3.9, "peak_rss_mb": 200.0, "bytes_fetched": 1}
SLOW = {"share_slowest": 0.98, "share_median": 0.99, "peak_rss_mb": 855.0, "vcpu": 0.65}
RUN = {"cpu_s": 200.0, "output_bytes": 33_500_000_000, "paced": {"lanes": 500}}
MACHINE = {"cores": 2, "kernel": "6.18", "python": "3.13.1", "load_average_before": 0.1}


def bench(directory, *, worker=None, runs=None, orchestrator=None):
    shapes = {shape: {"ours": FAST} for shape in ("large", "sparse")}
    shapes |= {"small": {"ours": FAST | {"cpu_s_per_gb": 28.5}}, "slow500": {"ours": SLOW}}
    every = {"machine": MACHINE, "scale": 1, "tls": True, "runs": {"slow500": {"ours": [RUN]}}}
    for name, document in (
        ("worker", shapes | (worker or {})),
        ("runs", every | (runs or {})),
        ("orchestrator", orchestrator),
    ):
        if document is not None:
            (directory / f"{name}.json").write_text(json.dumps(document))
    return directory


def test_one_command_applies_a_run_and_says_what_changed(tmp_path, capsys):
    orchestrator = {"cpu_ms_per_event_10_files": 3.9, "cpu_us_per_file_1m_files": 82.0}
    written = tmp_path / "calibration.json"
    code = calibrate.main([str(bench(tmp_path, orchestrator=orchestrator)), "--file", str(written)])
    read = load_calibration(written)
    assert code == 0
    assert read.cpu_s_per_gb == pytest.approx(200 / 33.5, abs=1e-3)
    assert read.cpu_s_per_gb_small == 28.5
    assert (read.process_mb, read.process_mb + 499 * read.download_mb) == (200, pytest.approx(855))
    assert (read.job_cpu_s, read.file_cpu_s) == (pytest.approx(0.00308), pytest.approx(82e-6))
    assert "3.13.1" in read.machine
    said = capsys.readouterr().out
    assert "worker.small.cpu_s_per_gb: 29.9 -> 28.5  (-5%)" in said
    assert "BENCH_SCALE=1 over TLS" in json.loads(written.read_text())["source"]


def test_what_was_not_measured_again_is_kept(tmp_path):
    known = json.loads(FILE.read_text())
    assert calibrate.calibration(bench(tmp_path), known)["orchestrator"] == known["orchestrator"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"worker": {"small": {"zipfile": FAST}}}, "no figures of ours on small"),
        ({"worker": {"large": {"ours": FAST | {"cpu_s_per_gb": 0}}}}, "large: cpu_s_per_gb is 0"),
        ({"worker": {"large": {"ours": FAST | {"peak_rss_mb": None}}}}, "large: peak_rss_mb is None"),
        ({"runs": {"runs": {"slow500": {"ours": []}}}}, "no run of slow500"),
        ({"runs": {"runs": {"slow500": {"ours": [RUN | {"paced": None}]}}}}, "lanes is None"),
        ({"orchestrator": {"cpu_ms_per_event_10_files": 3.9}}, "cpu_us_per_file_1m_files is None"),
        ({"orchestrator": []}, "holds no object"),
    ],
)
def test_what_the_model_needs_has_to_be_there(tmp_path, capsys, changes, sentence):
    written = tmp_path / "calibration.json"
    assert calibrate.main([str(bench(tmp_path, **changes)), "--file", str(written)]) == 2
    assert sentence in capsys.readouterr().err
    assert not written.exists()


@pytest.mark.parametrize("text", [None, "{", ""])
def test_a_file_that_is_missing_or_broken_is_named(tmp_path, capsys, text):
    if text is not None:
        (tmp_path / "worker.json").write_text(text)
    assert calibrate.main([str(tmp_path), "--file", str(tmp_path / "out.json")]) == 2
    assert "worker.json" in capsys.readouterr().err
