"""What the worker is to reach, and by how much it does or does not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.programs import LIMIT, OURS, STRONGEST, USUAL

RESIDENT_LIMIT_MB = 2.5 * (1 << 30) / 1e6
VCPU_LIMIT = 1.6
LEAST_SHARE = 0.9


@dataclass(frozen=True)
class Figures:
    """Medians over the rounds."""

    mb_per_s: float
    cpu_s_per_gb: float
    peak_rss_mb: float
    bytes_fetched: int


@dataclass(frozen=True)
class SlowFigures:
    """Medians over the rounds of a slow shape. The shares are of the rate that each download is offered."""

    share_slowest: float
    share_median: float
    peak_rss_mb: float
    vcpu: float


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
SlowResults = Mapping[str, Mapping[str, SlowFigures]]


def targets(results: Results, wanted_bytes: Mapping[str, int], slow: SlowResults) -> Iterator[Target]:
    """Every target whose shapes and programs were measured.

    `wanted_bytes` are the compressed bytes of each shape's wanted entries.
    """
    for shape, factor in (("large", 4), ("small", 4), ("sparse", 8)):
        for peer in USUAL:
            if _measured(results, shape, peer):
                yield _faster(results, shape, peer, factor)
    for peer in USUAL:
        if _measured(results, "large", peer):
            yield _cheaper(results, "large", peer, 1 / 3)
    for shape, share in (("large", 1.0), ("sparse", 1.0), ("small", 2 / 3)):
        if _measured(results, shape, STRONGEST):
            yield _cheaper(results, shape, STRONGEST, share)
    if _measured(results, "small", STRONGEST):
        yield _faster(results, "small", STRONGEST, 1.5)
    if _measured(results, "large", LIMIT):
        share = results["large"][OURS].mb_per_s / results["large"][LIMIT].mb_per_s
        yield Target("large: of the limit's throughput", f"{share:.0%}", "at least 60 %", share / 0.6)
    if OURS in results.get("sparse", {}):
        fetched = results["sparse"][OURS].bytes_fetched / wanted_bytes["sparse"]
        yield Target("sparse: fetched of the wanted bytes", f"{fetched:.2f}", "at most 1.20", 1.2 / fetched)
    for shape, programs in slow.items():
        yield from _slow(shape, programs[OURS])


def _measured(results: Results, shape: str, peer: str) -> bool:
    return {OURS, peer} <= results.get(shape, {}).keys()


def _faster(results: Results, shape: str, peer: str, factor: float) -> Target:
    ratio = results[shape][OURS].mb_per_s / results[shape][peer].mb_per_s
    bound = f"at least {factor:g} times"
    return Target(f"{shape}: throughput of {peer}'s", f"{ratio:.1f} times", bound, ratio / factor)


def _cheaper(results: Results, shape: str, peer: str, most: float) -> Target:
    share = results[shape][OURS].cpu_s_per_gb / results[shape][peer].cpu_s_per_gb
    return Target(f"{shape}: CPU per GB of {peer}'s", f"{share:.0%}", f"at most {most:.0%}", most / share)


def _slow(shape: str, reached: SlowFigures) -> Iterator[Target]:
    yield Target(
        f"{shape}: the slowest download, of its offered rate",
        f"{reached.share_slowest:.0%}",
        f"at least {LEAST_SHARE:.0%}",
        reached.share_slowest / LEAST_SHARE,
    )
    yield Target(
        f"{shape}: peak RSS",
        f"{reached.peak_rss_mb:.0f} MB",
        "under 2.5 GiB",
        RESIDENT_LIMIT_MB / reached.peak_rss_mb,
    )
    yield Target(f"{shape}: vCPU", f"{reached.vcpu:.2f}", f"under {VCPU_LIMIT}", VCPU_LIMIT / reached.vcpu)
