"""A service's scaling policies as deployed, on the model's own metrics (`ops.scaling` has the tracking)."""

from collections.abc import Mapping

from ops.capacity.metric_math import Value, evaluate
from ops.capacity.read import ScalingPolicy, Service
from ops.scaling import TargetTracking, Tracking


class Scaling:
    """The desired count, minute by minute. A datapoint is there a minute after the minute it is about."""

    def __init__(self, service: Service) -> None:
        self._policies = service.policies
        self._tracking = TargetTracking(
            [
                Tracking(target=p.target, out_cooldown=-(-p.out_s // 60), in_cooldown=-(-p.in_s // 60))
                for p in service.policies
            ],
            least=service.least,
            most=service.most,
        )
        self._late: list[Value] = [None] * len(service.policies)

    @property
    def desired(self) -> int:
        return self._tracking.desired

    def minute(self, metrics: Mapping[str, Value]) -> int:
        """`metrics` by CloudWatch's names, of the minute that ends now; the desired count afterwards."""
        late, self._late = self._late, [self._newest(policy, metrics) for policy in self._policies]
        return self._tracking.minute(late) if self._policies else self._tracking.desired

    @staticmethod
    def _newest(policy: ScalingPolicy, metrics: Mapping[str, Value]) -> Value:
        if policy.expression is None:
            return metrics["CPUUtilization"]
        values = {
            metric.id: metrics.get(metric.name) if metric.first_queue else 0.0 for metric in policy.metrics
        }
        return evaluate(policy.expression, values)
