"""What the worker is to reach, and by how much it does or does not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.programs import LIMIT, OURS, PEERS

SLOW_LANES = 64
RESIDENT_LIMIT_MB = 1.5 * (1 << 30) / 1e6


@dataclass(frozen=True)
class Figures:
    """Medians over the rounds."""

    mb_per_s: float
    cpu_s_per_gb: float
    peak_rss_mb: float
    bytes_fetched: int


@dataclass(frozen=True)
class Target:
    """A figure and its bound, both as text; `margin` is above 1 where it is reached."""

    what: str
    measured: str
    bound: str
    margin: float

    @property
    def reached(self) -> bool:
        return self.margin >= 1


Results = Mapping[str, Mapping[str, Figures]]


def targets(results: Results, wanted_bytes: Mapping[str, int], slowest: float) -> Iterator[Target]:
    """Every target whose programs were measured.

    `wanted_bytes` are the compressed bytes of each shape's wanted entries; `slowest` is how much of its
    archive the slowest of the slow downloads had when half of all bytes were sent.
    """
    for shape, factor in (("large", 4), ("small", 4), ("sparse", 8)):
        for peer in PEERS:
            if peer in results[shape]:
                yield _faster(results, shape, peer, factor)
    for peer in PEERS:
        if peer in results["large"]:
            share = results["large"][OURS].cpu_s_per_gb / results["large"][peer].cpu_s_per_gb
            yield Target(f"large: CPU per GB of {peer}'s", f"{share:.0%}", "at most 33 %", 1 / 3 / share)
    share = results["large"][OURS].mb_per_s / results["large"][LIMIT].mb_per_s
    yield Target("large: of the limit's throughput", f"{share:.0%}", "at least 60 %", share / 0.6)
    fetched = results["sparse"][OURS].bytes_fetched / wanted_bytes["sparse"]
    yield Target("sparse: fetched of the wanted bytes", f"{fetched:.2f}", "at most 1.20", 1.2 / fetched)
    slow = results["slow64"][OURS]
    cores = slow.cpu_s_per_gb * slow.mb_per_s / 1e3
    yield Target("slow64: vCPU", f"{cores:.2f}", "under 1", 1 / cores)
    yield Target(
        "slow64: peak RSS",
        f"{slow.peak_rss_mb:.0f} MB",
        "under 1.5 GiB",
        RESIDENT_LIMIT_MB / slow.peak_rss_mb,
    )
    yield Target("slow64: slowest download at half-time", f"{slowest:.0%}", "at least 25 %", slowest / 0.25)


def _faster(results: Results, shape: str, peer: str, factor: int) -> Target:
    ratio = results[shape][OURS].mb_per_s / results[shape][peer].mb_per_s
    return Target(
        f"{shape}: throughput of {peer}'s", f"{ratio:.1f} times", f"at least {factor} times", ratio / factor
    )
