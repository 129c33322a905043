"""The question of every verb: an environment of an assembly, with prices and calibration, over a day."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from ops.assembly.load import Assembly, in_order, load_assembly
from ops.assembly.synth import synthesize
from ops.capacity.calibration import Calibration, load_calibration
from ops.capacity.figures import Figures, figures
from ops.capacity.model import Day, Play, play
from ops.capacity.prices import Prices, load_prices
from ops.capacity.read import Deployed, deployed
from ops.capacity.scenarios import SCENARIOS
from ops.capacity.workload import Assumptions


@dataclass(frozen=True, kw_only=True)
class Question:
    """An environment, and what to hold it against."""

    deployed: Deployed
    prices: Prices
    calibration: Calibration
    assumed: Assumptions = field(default_factory=Assumptions)

    def day(
        self,
        scenario: str = "day",
        assumed: Assumptions | None = None,
        changed: Deployed | None = None,
        how: Play = Play(),  # noqa: B008  frozen
    ) -> Day:
        """The scenario's day, with other assumptions or another deployment if given."""
        return play(
            changed or self.deployed, SCENARIOS[scenario], assumed or self.assumed, self.calibration, how
        )

    def figures(
        self,
        scenario: str = "day",
        assumed: Assumptions | None = None,
        changed: Deployed | None = None,
        how: Play = Play(),  # noqa: B008  frozen
    ) -> Figures:
        """The same day's figures."""
        return figures(self.day(scenario, assumed, changed, how), self.prices)

    def sources(self) -> list[str]:
        """On what the figures rest."""
        unchecked = f"{len(self.prices.unchecked)} of {len(self.prices.usd)} from memory alone"
        return [
            f"Prices of {self.prices.region}, {self.prices.date} (ops/capacity/prices), {unchecked}.",
            f"CPU and memory as measured on {self.calibration.date} (ops/capacity/calibration.json): "
            + self.calibration.machine,
            "Arrivals, sizes and the vendor's rate are assumed (ops/capacity/workload.py).",
        ]


def question(assembly: Assembly, environment: str) -> Question:
    """Raises AssemblyError."""
    what = deployed(in_order(assembly, environment))
    return Question(deployed=what, prices=load_prices(what.region), calibration=load_calibration())


def assembly_of(directory: Path | None) -> Assembly:
    """The assembly in a directory, or of the working tree, synthesized now. Raises AssemblyError."""
    if directory is not None:
        return load_assembly(directory)
    with tempfile.TemporaryDirectory(prefix="capacity-") as scratch:
        synthesize(Path(), Path(scratch))
        return load_assembly(Path(scratch))
