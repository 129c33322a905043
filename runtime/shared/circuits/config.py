"""When a circuit opens, and how it is tried again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitConfig:
    """The limits of one circuit.

    It opens on `failures` in a row, or when `failure_rate` of at least `minimum_calls` within `window_s`
    failed; it is probed every `reset_s` by one task, for at most `probe_deadline_s`.
    """

    failures: int = 5
    failure_rate: float = 0.5
    minimum_calls: int = 10
    window_s: float = 60
    reset_s: float = 30
    probe_deadline_s: float = 30

    def __post_init__(self) -> None:
        """Raises ValueError with every fault."""
        faults = [
            sentence
            for sentence, found in (
                ("failures must be at least 1", self.failures < 1),
                ("failure_rate must be above 0 and at most 1", not 0 < self.failure_rate <= 1),
                ("minimum_calls must be at least failures", self.minimum_calls < self.failures),
                ("window_s must be above 0", not self.window_s > 0),
                ("reset_s must be above 0", not self.reset_s > 0),
                ("probe_deadline_s must be above 0", not self.probe_deadline_s > 0),
            )
            if found
        ]
        if faults:
            raise ValueError(f"this circuit cannot work: {'; '.join(faults)}")

    @property
    def refresh_s(self) -> float:
        """How old this process's view of closed circuits may be."""
        return self.reset_s / 3

    @property
    def urgent_refresh_s(self) -> float:
        """The same while any circuit is not closed: polling resumes that soon after a probe has succeeded."""
        return self.reset_s / 10
