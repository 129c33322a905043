"""One Fargate service, as values."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from stacks.values.base import Values

# How long scaling waits after a step before the next one. Out: until the metrics, a minute or two late, know
# of the step, else the same backlog asks for it again, on top. In: jobs take hours, a lull of a few minutes
# says nothing about the next half hour, and a task that goes has to hand its work over first.
SCALE_OUT_S = 180
SCALE_IN_S = 900
# Strict, or a text of digits would become a number and `True` a 1.
Setting = StrictBool | StrictInt | StrictFloat | StrictStr


class Service(Values):
    """One Fargate service: the size of a task, how many there may be, and what they run on.

    backlog_per_task: messages (waiting and in flight) that one task should have; scaling aims at it.
    spot_weight: share of the tasks above `on_demand_base` that run on Spot, against `on_demand_weight`.
    settings: the service's variables that the stacks do not decide, by name (runtime/settings.schema.json).
    """

    cpu: Literal[256, 512, 1024, 2048, 4096]
    task_memory_mib: int
    container_memory_mib: int
    slots: Annotated[int, Field(ge=1)]
    # None would stay none: scaling multiplies the count that it finds.
    min_tasks: Annotated[int, Field(ge=1)]
    max_tasks: Annotated[int, Field(ge=1, le=5_000)]
    backlog_per_task: Annotated[int, Field(ge=1)]
    cpu_target_percent: Annotated[int, Field(ge=10, le=90)] = 70
    on_demand_base: Annotated[int, Field(ge=0)] = 0
    on_demand_weight: Annotated[int, Field(ge=0, le=1_000)] = 1
    spot_weight: Annotated[int, Field(ge=0, le=1_000)] = 0
    ephemeral_storage_gib: Annotated[int, Field(ge=21, le=200)] | None = None
    settings: Mapping[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], Setting] = {}

    @model_validator(mode="after")
    def _counts_agree(self) -> Self:
        if self.max_tasks < self.min_tasks:
            raise ValueError(f"max_tasks {self.max_tasks} is below min_tasks {self.min_tasks}")
        if self.on_demand_base > self.max_tasks:
            raise ValueError(f"on_demand_base {self.on_demand_base} is above max_tasks {self.max_tasks}")
        if self.container_memory_mib > self.task_memory_mib:
            raise ValueError("container_memory_mib is more than the task has")
        if self.on_demand_weight == 0 and self.spot_weight == 0:
            raise ValueError("with both weights 0 no task above the base could be placed")
        return self
