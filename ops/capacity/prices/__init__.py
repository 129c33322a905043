"""List prices, one dated file for each region: every price with the page it is from."""

import json
from dataclasses import dataclass
from pathlib import Path

from ops.assembly.model import AssemblyError

_ROOM = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Prices:
    """US dollars by item. `unchecked`: those that no public page was compared with."""

    region: str
    date: str
    usd: dict[str, float]
    unchecked: tuple[str, ...] = ()

    def __getitem__(self, item: str) -> float:
        return self.usd[item]


def load_prices(region: str) -> Prices:
    """The region's file. Raises AssemblyError where there is none."""
    file = _ROOM / f"{region}.json"
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AssemblyError(
            f"no prices for {region}: copy ops/capacity/prices/eu-west-1.json to {file.name} and put the "
            "region's own into it, each from the page it names"
        ) from error
    return Prices(
        region=document["region"],
        date=document["date"],
        usd={name: float(price["usd"]) for name, price in document["prices"].items()},
        unchecked=tuple(name for name, price in document["prices"].items() if not price.get("checked")),
    )
