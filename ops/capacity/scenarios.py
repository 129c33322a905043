"""Days worth playing: the plain one with its peak, and what goes wrong on others."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Window = tuple[float, float]
"""From an hour of the day, for so many hours."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A day. `assumed` changes assumptions by name.

    outages: the vendor answers nothing. slow: the vendor sends at a share of its rate. reclaimed: at an hour,
    this share of the Spot tasks is taken back. shortage: no Spot task can be started. deployments: at these
    hours. bursts: at an hour, this share of a day's jobs at once.
    """

    what: str
    outages: tuple[Window, ...] = ()
    slow: tuple[tuple[float, float, float], ...] = ()
    reclaimed: tuple[tuple[float, float], ...] = ()
    shortage: tuple[Window, ...] = ()
    deployments: tuple[float, ...] = ()
    bursts: tuple[tuple[float, float], ...] = ()
    assumed: Mapping[str, float] = field(default_factory=dict)


SCENARIOS: Mapping[str, Scenario] = {
    "day": Scenario(what="the stated day with its stated peak"),
    "burst": Scenario(what="a tenth of a day's jobs at once, at 15:00", bursts=((15, 0.1),)),
    "outage": Scenario(
        what="the vendor is away for three hours from the peak's middle on", outages=((10, 3),)
    ),
    "slow-vendor": Scenario(what="the vendor sends at half its rate for six hours", slow=((9, 6, 0.5),)),
    "rate-limit": Scenario(
        what="the vendor sends 1,500 MB/s in all and no more", assumed={"vendor_mb_s": 1_500}
    ),
    "spot-storm": Scenario(
        what="at the peak half of the Spot tasks are taken back, and none comes for two hours",
        reclaimed=((10, 0.5),),
        shortage=((10, 2),),
    ),
    "deployment": Scenario(what="a new version in the peak's middle", deployments=(10,)),
    "unranged": Scenario(what="one archive in ten cannot be read by ranges", assumed={"stuck_share": 0.1}),
    "small-files": Scenario(what="half of the bytes lie in small entries", assumed={"small_share": 0.5}),
}
