"""The values of the load that an environment is built for."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from stacks.values.base import Hours, Values

# Above it no log-normal distribution has this mean and this 95th percentile, and the tail is the mean.
_WIDEST = 3.8


class Load(Values):
    """The work that comes, how long it takes and how uneven both are; the sizes are checked against it.

    `mean_archive_minutes`, `p95_archive_minutes`, `longest_archive_hours`: how long a worker has an archive.
    `peak_factor`: arrivals at the peak, as a multiple of the day's average, for `peak_hours` at a stretch.
    `longest_outage_hours`: of the Export API; nothing may be lost or given up within it.
    `completion_p95_minutes`: from an event to its job's end, for 19 jobs in 20 on a day with this peak; the
    capacity model has to find it held (`make capacity-check`).
    """

    export_jobs_per_day: Annotated[int, Field(ge=1)]
    archives_per_export_job: Annotated[float, Field(ge=1)]
    mean_archive_minutes: Annotated[float, Field(gt=0)]
    p95_archive_minutes: Annotated[float, Field(gt=0)]
    longest_archive_hours: Hours
    peak_factor: Annotated[float, Field(ge=1)]
    peak_hours: Annotated[float, Field(gt=0, le=24)]
    longest_outage_hours: Hours
    completion_p95_minutes: Annotated[float, Field(gt=0)]

    @property
    def archives_per_hour(self) -> float:
        """On the day's average."""
        return self.export_jobs_per_day * self.archives_per_export_job / 24

    @property
    def archives_at_once(self) -> float:
        """At the peak, when none has to wait."""
        return self.archives_per_hour * self.peak_factor * self.mean_archive_minutes / 60

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        mean, p95, longest = (
            self.mean_archive_minutes,
            self.p95_archive_minutes,
            self.longest_archive_hours * 60,
        )
        if not mean <= p95 <= longest:
            raise ValueError(
                f"an archive takes {mean:g} minutes in the mean, {p95:g} at the 95th percentile and "
                f"{longest:g} at the longest: each should be at least the one before"
            )
        if p95 > _WIDEST * mean:
            raise ValueError(
                f"p95_archive_minutes {p95:g} is more than {_WIDEST} times mean_archive_minutes {mean:g}: "
                "one of the two is mistaken"
            )
        return self
