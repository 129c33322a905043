"""Scaling seen to work: the deployed policy, on the queues' real depth, decides how many workers there are.

What Application Auto Scaling would do is `ops.scaling`'s model of target tracking, fed with the expression
that was deployed, at one second a minute. ECS is this module: it starts containers up to the desired count
and stops those above it with SIGTERM, as ECS does.
"""

import ast
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.export_api.archives import LaidOutZip, Member
from local.export_api.catalogue import Catalogue, Export, ExportFile
from local.export_api.content import Content
from local.export_api.server import ExportApiServer
from local.platform import Platform
from local.rehearsal.steps import StepFailed
from local.tasks import Task
from ops.scaling import TargetTracking, Tracking

_MINUTE_S = 1.0
_ARCHIVES = 480
_JOB = "scaling"
_LIMIT_S = 300.0
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "FILL": lambda value, other: other if value is None else value,
    "IF": lambda condition, one, other: one if condition else other,
}


@dataclass
class Seen:
    """How a run went."""

    most: int = 0
    at_the_end: int = 0
    exit_codes: list[int] = field(default_factory=list)


def follow_the_queue(platform: Platform) -> Seen:
    """One job of many archives from its message to the fleet's return to its least. Raises StepFailed."""
    policy, least, most = _deployed(platform)
    catalogue, metadata = _many_archives()
    platform.put_metadata(metadata)
    with ExportApiServer(catalogue, token="scaling") as api:
        platform.use_export_api(api.base_url, "scaling")
        orchestrator = platform.run_task("orchestrator")
        tracking = TargetTracking(
            [Tracking(target=policy.target, out_cooldown=policy.out_s // 60, in_cooldown=policy.in_s // 60)],
            least=least,
            most=most,
        )
        fleet: list[Task] = []
        seen = Seen()
        platform.send_export_jobs(_JOB)
        began = time.monotonic()
        while time.monotonic() - began < _LIMIT_S:
            desired = tracking.minute([policy.metric(platform, tracking.desired)])
            _place(platform, fleet, desired, seen)
            if len(fleet) == least and _ended(platform):
                break
            time.sleep(_MINUTE_S)
        seen.at_the_end = len(fleet)
        for task in (*fleet, orchestrator):
            seen.exit_codes.append(task.stop())
    _judge(platform, seen, least)
    return seen


def _ended(platform: Platform) -> bool:
    return str(platform.ledger_job(_JOB).get("status")) in ("completed", "incomplete", "failed")


def _place(platform: Platform, fleet: list[Task], desired: int, seen: Seen) -> None:
    """ECS's reaction to a desired count: start what is missing, stop the youngest of what is too many."""
    while len(fleet) < desired:
        fleet.append(platform.run_task("worker", ready=False))
    while len(fleet) > desired:
        seen.exit_codes.append(fleet.pop().stop())
    seen.most = max(seen.most, len(fleet))


def _judge(platform: Platform, seen: Seen, least: int) -> None:
    done = sum(item.get("status") == "done" for item in platform.ledger(_JOB))
    objects = len(platform.objects(f"exports/{_JOB}/"))
    if seen.most <= least or seen.at_the_end != least:
        raise StepFailed(
            f"the fleet went from {least} to {seen.most} and ended with {seen.at_the_end} workers"
        )
    if any(seen.exit_codes):
        raise StepFailed(f"containers ended with {seen.exit_codes}")
    if done < _ARCHIVES or objects != _ARCHIVES:
        raise StepFailed(f"{done} archives done and {objects} objects of {_ARCHIVES}")


@dataclass(frozen=True)
class _Policy:
    """A deployed target tracking policy with its own metric math."""

    target: float
    out_s: int
    in_s: int
    queries: list[dict[str, Any]]

    def metric(self, platform: Platform, desired: int) -> float:
        """The expression's value now, from the queues and the count that it names."""
        values: dict[str, float | None] = {}
        for query in self.queries:
            if "MetricStat" in query:
                values[query["Id"]] = _value(platform, query["MetricStat"]["Metric"], desired)
        (expression,) = [query["Expression"] for query in self.queries if query.get("Expression")]
        return float(evaluate(expression, values))


def _deployed(platform: Platform) -> tuple[_Policy, int, int]:
    """The worker's backlog policy and its least and most tasks, read from Application Auto Scaling."""
    autoscaling = platform.client("application-autoscaling")
    worker = platform.definitions["worker"]
    (arn,) = [
        arn
        for arn in platform.client("ecs").list_services(cluster=worker.cluster)["serviceArns"]
        if "worker" in arn.rpartition("/")[2].lower()
    ]
    resource = f"service/{worker.cluster}/{arn.rpartition('/')[2]}"
    (target,) = autoscaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])[
        "ScalableTargets"
    ]
    policies = autoscaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=resource)
    for policy in policies["ScalingPolicies"]:
        tracking = policy["TargetTrackingScalingPolicyConfiguration"]
        queries = tracking.get("CustomizedMetricSpecification", {}).get("Metrics")
        if queries:
            found = _Policy(
                target=float(tracking["TargetValue"]),
                out_s=int(tracking.get("ScaleOutCooldown", 0)),
                in_s=int(tracking.get("ScaleInCooldown", 0)),
                queries=queries,
            )
            return found, int(target["MinCapacity"]), int(target["MaxCapacity"])
    raise StepFailed(f"{resource} has no policy with metric math")


def _value(platform: Platform, metric: dict[str, Any], desired: int) -> float | None:
    if metric["MetricName"] == "DesiredTaskCount":
        return desired
    (queue,) = [pair["Value"] for pair in metric["Dimensions"] if pair["Name"] == "QueueName"]
    sqs = platform.client("sqs")
    asked = sqs.get_queue_attributes(
        QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"], AttributeNames=["All"]
    )
    name = metric["MetricName"].removesuffix("Visible")
    # SQS has "…Visible" in CloudWatch for what its own API calls just the number.
    key = f"{name}Visible" if name.endswith("Not") else name
    return float(asked["Attributes"][key])


def evaluate(expression: str, values: dict[str, float | None]) -> float:
    """CloudWatch metric math, as much of it as is deployed: arithmetic, comparisons, FILL and IF.

    Raises StepFailed for anything else.
    """
    tree = ast.parse(re.sub(r"(?<![<>=!])=(?!=)", "==", expression), mode="eval")

    def of(node: ast.AST) -> Any:
        match node:
            case ast.Expression(body=body):
                return of(body)
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.Name(id=name) if name in values:
                return values[name]
            case ast.Call(func=ast.Name(id=name), args=arguments) if name in _FUNCTIONS:
                return _FUNCTIONS[name](*map(of, arguments))
            case ast.BinOp(left=left, op=operator, right=right):
                return _arithmetic(operator, of(left), of(right))
            case ast.Compare(left=left, ops=[ast.Gt()], comparators=[right]):
                return of(left) > of(right)
        raise StepFailed(
            f"the deployed expression has {ast.dump(node)}, which is not known here: {expression}"
        )

    result: float = of(tree)
    return result


def _arithmetic(operator: ast.operator, left: float, right: float) -> float:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
    raise StepFailed(f"the deployed expression has an operator that is not known here: {operator}")


def _many_archives() -> tuple[Catalogue, list[dict[str, Any]]]:
    """A job of small archives, one file each, and the metadata that expects them."""
    files, metadata = [], []
    for number in range(_ARCHIVES):
        path = f"file-{number:04d}.json"
        content = Content(f"{_JOB}/{path}", 4_096)
        files.append(
            ExportFile(
                file_id=f"f{number:04d}",
                name=f"f{number:04d}.zip",
                archive=LaidOutZip(members=[Member(name=path, content=content)]),
            )
        )
        metadata.append(
            {
                "export_job_id": _JOB,
                "file_path": path,
                "size": content.size,
                "sha256": content.sha256(),
            }
        )
    return Catalogue.of([Export(_JOB, files)]), metadata
