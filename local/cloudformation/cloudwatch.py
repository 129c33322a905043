"""CloudWatch alarms, single and composite."""

from dataclasses import replace
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from local.cloudformation.model import Api, ApiModel, Properties, ResourceRequest


class Alarm(ApiModel):
    TYPE = "AWS::CloudWatch::Alarm"
    GETATT = ("Arn",)
    REPLACED_BY = frozenset({"AlarmName"})

    @classmethod
    def make(cls, asked: ResourceRequest) -> ApiModel:
        name = asked.properties.get("AlarmName", asked.name)
        Api.client("cloudwatch", asked.region).put_metric_alarm(**{**asked.properties, "AlarmName": name})
        return cls(name, asked, {"Arn": _alarm(name, asked.region, "MetricAlarms")["AlarmArn"]})

    def change(self, asked: ResourceRequest) -> ApiModel:
        return self.make(_named(asked, self.physical_id))

    def remove(self) -> None:
        Api.client("cloudwatch", self.asked.region).delete_alarms(AlarmNames=[self.physical_id])

    def read(self) -> Properties | None:
        live = _alarm(self.physical_id, self.asked.region, "MetricAlarms")
        return {name: live[name] for name in ("Threshold", "AlarmActions") if name in live}


class CompositeAlarm(ApiModel):
    TYPE = "AWS::CloudWatch::CompositeAlarm"
    GETATT = ("Arn",)
    REPLACED_BY = frozenset({"AlarmName"})

    @classmethod
    def make(cls, asked: ResourceRequest) -> ApiModel:
        # moto shows composite alarms but has no PutCompositeAlarm: to it, an alarm with a rule is one.
        name = asked.properties.get("AlarmName", asked.name)
        backend: Any = cloudwatch_backends[asked.account][asked.region]
        alarm = backend.put_metric_alarm(
            name=name,
            namespace="",
            metric_name="",
            comparison_operator="",
            evaluation_periods=1,
            period=0,
            threshold=0,
            statistic="",
            description=asked.properties.get("AlarmDescription", ""),
            dimensions=[],
            alarm_actions=asked.properties.get("AlarmActions", []),
            rule=asked.properties["AlarmRule"],
        )
        return cls(name, asked, {"Arn": alarm.alarm_arn})

    def change(self, asked: ResourceRequest) -> ApiModel:
        return self.make(_named(asked, self.physical_id))

    def remove(self) -> None:
        Api.client("cloudwatch", self.asked.region).delete_alarms(AlarmNames=[self.physical_id])


def _named(asked: ResourceRequest, name: str) -> ResourceRequest:
    return replace(asked, name=name)


def _alarm(name: str, region: str, kind: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = Api.client("cloudwatch", region).describe_alarms(AlarmNames=[name])[kind]
    return found[0] if found else {}
