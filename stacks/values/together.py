"""The rules between environments: several must not have the same of what only one can have."""

from collections.abc import Sequence
from ipaddress import ip_network
from itertools import combinations

from stacks.values.environment import Environment


class Conflict(ValueError):
    """Two environments that cannot both be deployed, or could never be connected."""


def refuse_conflicts(environments: Sequence[Environment]) -> None:
    """Raises Conflict for a name or addresses that two environments share."""
    for one, other in combinations(environments, 2):
        if one.name == other.name:
            raise Conflict(f"Two environments are called {one.name}: give each a name of its own.")
        ranges = one.network.cidr, other.network.cidr
        if None not in ranges and ip_network(str(ranges[0])).overlaps(ip_network(str(ranges[1]))):
            raise Conflict(
                f"{one.name} ({ranges[0]}) and {other.name} ({ranges[1]}) share addresses, so they could "
                "never be peered: give one of them a cidr of its own."
            )
