"""An environment of round numbers, and a way to play given archives through it."""

import math

import numpy as np

from ops.capacity.calibration import load_calibration
from ops.capacity.dispatch import Dispatched
from ops.capacity.model import Play, run
from ops.capacity.read import Deployed, Metric, ScalingPolicy, Service
from ops.capacity.scenarios import Scenario
from ops.capacity.workload import Assumptions, PromisedLoad, Workload

CALIBRATION = load_calibration()
PLAIN = Scenario(what="nothing happens")
# Nothing that would disturb a closed form: no interruptions, no CPU to speak of, no hand-over work.
QUIET = Assumptions(
    stuck_share=0,
    spot_interruptions_per_hour=0,
    crashes_per_hour=0,
    archive_mb_s=1e-6,
    daily_swing=0,
    sqs_approximation=0,
)
BACKLOG = ScalingPolicy(
    target=8,
    out_s=60,
    in_s=900,
    expression="(FILL(v,0)+FILL(f,0))/IF(FILL(d,0)>0,FILL(d,0),1)",
    metrics=(
        Metric(id="v", name="ApproximateNumberOfMessagesVisible", first_queue=True),
        Metric(id="f", name="ApproximateNumberOfMessagesNotVisible", first_queue=True),
        Metric(id="d", name="DesiredTaskCount", first_queue=True),
    ),
)
LOAD = PromisedLoad(
    export_jobs_per_day=1_000,
    archives_per_export_job=1,
    mean_archive_minutes=30,
    p95_archive_minutes=90,
    longest_archive_hours=8,
    peak_factor=1,
    peak_hours=2,
    completion_p95_minutes=120,
    queue_wait_hours=4,
)


def service(name="worker", **changes) -> Service:
    values = {
        "name": name,
        "cpu": 2048,
        "memory_mib": 4096,
        "container_mib": 3840,
        "disk_gib": 50,
        "arm": True,
        "least": 2,
        "most": 20,
        "surge_percent": 200,
        "on_demand_base": 1,
        "on_demand_weight": 1,
        "spot_weight": 4,
        "public_ip": True,
        "policies": (BACKLOG,),
        "settings": {"SLOTS": "10"},
    }
    return Service(**(values | changes))


def environment(load=LOAD, **changes) -> Deployed:
    values = {
        "environment": "test",
        "region": "eu-west-1",
        "worker": service(),
        "orchestrator": service("orchestrator", cpu=512, spot_weight=0, settings={"SLOTS": "8"}),
        "load": load,
        "nat_gateways": 0,
        "endpoint_interfaces": 0,
        "sqs_endpoint": False,
        "zones": 2,
        "keys": 1,
        "secrets": 1,
        "alarms": 3,
        "composite_alarms": 1,
        "dashboards": 1,
        "insights": True,
    }
    return Deployed(**(values | changes))


def fixed(tasks: int, slots: int) -> Deployed:
    """So many tasks with so many slots, and no scaling."""
    return environment(
        worker=service(least=tasks, most=tasks, policies=(), settings={"SLOTS": str(slots)}),
    )


def archives(at, need, *, stuck=None) -> Workload:
    """A job for each archive."""
    at = np.asarray(at, float)
    return Workload(
        job_at=at,
        first=np.arange(len(at) + 1),
        need=np.asarray(need, np.float32),
        stuck=np.zeros(len(at), bool) if stuck is None else np.asarray(stuck, bool),
    )


def played(workload, deployed, *, assumed=QUIET, scenario=PLAIN, how=None):
    at_once = Dispatched(at=workload.job_at, backlog=np.zeros(2_880), tasks=np.full(2_880, 1))
    how = how or Play(step_s=10, hours=1)
    return run(
        deployed=deployed,
        scenario=scenario,
        assumed=assumed,
        calibration=CALIBRATION,
        how=how,
        workload=workload,
        dispatched=at_once,
        chance=np.random.default_rng(how.seed),
    )


def erlang_c(servers: int, offered: float) -> float:
    """The probability that an arrival of an M/M/c has to wait."""
    terms = [offered**k / math.factorial(k) for k in range(servers)]
    last = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return last / (sum(terms) + last)
