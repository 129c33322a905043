"""How a fleet follows its queue: a model of target tracking, ECS and the services' own logic, in minutes.

It promises no seconds: it shows what a policy does over a day of peak and calm, so that two ways of scaling
or leaving can be compared by task-hours, waits, and work that is done twice. `python -m ops.scaling` prints
them side by side.
"""

from ops.scaling.fleet import Fleet, Task, Work
from ops.scaling.leaving import KeepsPolling, LeavesWhenUnwanted, LeavingRule, StopsAtOnce
from ops.scaling.simulation import Demand, Divisor, Outcome, ScalingPlan, simulate
from ops.scaling.target_tracking import TargetTracking, Tracking

__all__ = [
    "Demand",
    "Divisor",
    "Fleet",
    "KeepsPolling",
    "LeavesWhenUnwanted",
    "LeavingRule",
    "Outcome",
    "ScalingPlan",
    "StopsAtOnce",
    "TargetTracking",
    "Task",
    "Tracking",
    "Work",
    "simulate",
]
