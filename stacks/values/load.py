"""What an environment is built for, as values."""

from typing import Annotated

from pydantic import Field

from stacks.values.base import Hours, Values


class Load(Values):
    """What the environment is built for; the sizes are checked against it."""

    export_jobs_per_day: Annotated[int, Field(ge=1)]
    archives_per_export_job: Annotated[float, Field(ge=1)]
    mean_archive_minutes: Annotated[float, Field(gt=0)]
    longest_archive_hours: Hours
    longest_outage_hours: Hours
