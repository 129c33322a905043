"""The container's CPU, as control groups of either version tell it."""

import os
from pathlib import Path

import pytest

from runtime.worker.bounds.cpu import ContainerCpu

FILES = {
    "v2": ({"cpu.stat": "usage_usec 2500000\nuser_usec 1\n", "cpu.max": "50000 100000\n"}, 2.5, 0.5),
    "v2 without a limit": ({"cpu.stat": "usage_usec 10\n", "cpu.max": "max 100000\n"}, 1e-5, None),
    "v1": (
        {
            "cpuacct/cpuacct.usage": "3000000000\n",
            "cpu/cpu.cfs_quota_us": "25000\n",
            "cpu/cpu.cfs_period_us": "100000\n",
        },
        3.0,
        0.25,
    ),
    "v1 without a limit": (
        {"cpuacct/cpuacct.usage": "1\n", "cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
        1e-9,
        None,
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_the_control_group_says(tmp_path: Path, name: str) -> None:
    files, used, cores = FILES[name]
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    cpu = ContainerCpu(tmp_path)
    assert cpu.used_s() == pytest.approx(used)
    assert cpu.cores() == (cores if cores is not None else os.cpu_count())


def test_without_a_control_group_it_is_the_process(tmp_path: Path) -> None:
    cpu = ContainerCpu(tmp_path)
    assert cpu.used_s() > 0
    assert cpu.cores() == os.cpu_count()
