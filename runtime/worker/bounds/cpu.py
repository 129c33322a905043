"""How much CPU the container has used and may use: its control group, v2 or v1, else the process, says."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class ContainerCpu:
    """`root` is where control groups are mounted."""

    root: Path = _ROOT

    def used_s(self) -> float:
        """CPU seconds so far, of everything in the container."""
        for line in _lines(self.root / "cpu.stat"):
            name, _, value = line.partition(" ")
            if name == "usage_usec":
                return int(value) / 1e6
        for line in _lines(self.root / "cpuacct" / "cpuacct.usage"):
            return int(line) / 1e9
        return time.process_time()

    def cores(self) -> float:
        """CPU seconds per second that it may use."""
        machine = float(os.cpu_count() or 1)
        for line in _lines(self.root / "cpu.max"):
            quota, _, period = line.partition(" ")
            return min(machine, int(quota) / int(period)) if quota != "max" else machine
        quotas = _lines(self.root / "cpu" / "cpu.cfs_quota_us")
        periods = _lines(self.root / "cpu" / "cpu.cfs_period_us")
        if quotas and periods and int(quotas[0]) > 0:
            return min(machine, int(quotas[0]) / int(periods[0]))
        return machine


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
