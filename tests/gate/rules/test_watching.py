"""What watches goes blind or mute: blocked."""

import pytest

from tests.gate.rules.templates import (
    ABSENT,
    ALARM,
    COMPOSITE,
    ENDPOINT,
    FLOWS,
    RULE,
    SUBSCRIPTION,
    TARGET,
    TRAIL,
    changed,
    either,
)
from tests.gate.test_losses import QUEUE, resource

PROTECTED = "protection-weakened"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ALARM, None),
        (ALARM, changed(ALARM, "ActionsEnabled", False)),
        (ALARM, changed(ALARM, "AlarmActions", ABSENT)),
        (ALARM, changed(ALARM, "AlarmActions", [{"Ref": "Topic"}])),
        (ALARM, changed(ALARM, "AlarmActions.0", {"Ref": "Other"})),
        (ALARM, changed(ALARM, "TreatMissingData", "notBreaching")),
        (ALARM, changed(ALARM, "TreatMissingData", ABSENT)),
        (ALARM, changed(ALARM, "Threshold", 1_000_000)),
        (ALARM, changed(ALARM, "EvaluationPeriods", 1440)),
        (ALARM, changed(ALARM, "MetricName", "Other")),
        (ALARM, changed(ALARM, "ComparisonOperator", "LessThanThreshold")),
        (COMPOSITE, None),
        (COMPOSITE, changed(COMPOSITE, "AlarmActions", [])),
        (COMPOSITE, changed(COMPOSITE, "ActionsSuppressor", "maintenance")),
        (
            COMPOSITE,
            changed(COMPOSITE, "AlarmRule", either("A")),
        ),
        (FLOWS, None),
        (FLOWS, changed(FLOWS, "TrafficType", "REJECT")),
        (FLOWS, changed(FLOWS, "LogGroupName", "elsewhere")),
        (FLOWS, changed(FLOWS, "MaxAggregationInterval", 600) | {"Type": "AWS::New::Type"}),
        (ENDPOINT, None),
        (ENDPOINT, changed(ENDPOINT, "PrivateDnsEnabled", False)),
        (RULE, None),
        (resource("AWS::Organizations::Policy", Type="SERVICE_CONTROL_POLICY"), None),
        (RULE, changed(RULE, "State", "DISABLED")),
        (RULE, changed(RULE, "Targets", [])),
        (RULE, changed(RULE, "EventPattern.detail", {"severity": ["HIGH"]})),
        (TRAIL, None),
        (TRAIL, changed(TRAIL, "IsLogging", False)),
        (TRAIL, changed(TRAIL, "EnableLogFileValidation", False)),
        (SUBSCRIPTION, None),
        (SUBSCRIPTION, changed(SUBSCRIPTION, "FilterPolicy", {"severity": ["1"]})),
        (TARGET, None),
        (resource("AWS::ApplicationAutoScaling::ScalingPolicy", PolicyName="p"), None),
        (resource("AWS::SecretsManager::RotationSchedule", SecretId="s"), None),
        (
            resource("AWS::GuardDuty::Detector", Enable=True),
            resource("AWS::GuardDuty::Detector", Enable=False),
        ),
    ],
)
def test_what_watches_goes_blind_or_mute(gate, before, after):
    answer = gate.change({"Thing": before, "Q": QUEUE}, {"Q": QUEUE} | ({"Thing": after} if after else {}))
    assert answer.code == 1
    assert (PROTECTED, "Thing") in answer.kinds


def test_a_whole_stack_of_watchers_that_goes_is_blocked(gate):
    answer = gate.compare(
        {"prod/main": {"Q": QUEUE}, "prod/watch": {"Alarm": ALARM}}, {"prod/main": {"Q": QUEUE}}
    )
    assert answer.code == 1
    assert (PROTECTED, "Alarm") in answer.kinds


def test_a_watcher_that_only_moves_passes(gate):
    renamed = changed(ALARM, "AlarmDescription", "the same, in other words")
    assert gate.change({"Old": ALARM, "Q": QUEUE}, {"New": renamed, "Q": QUEUE}).code == 0


@pytest.fixture
def alarms():
    return {"A": ALARM, "B": changed(ALARM, "MetricName", "Waiting")}


@pytest.mark.parametrize("kept", ["All", "Two"])
def test_alarms_that_other_composites_take_over_are_still_heard(gate, alarms, kept):
    one, two = (changed(COMPOSITE, "AlarmRule", either(name)) for name in "AB")
    before, after = alarms | {"All": COMPOSITE}, alarms | {"One": one, kept: two}
    assert gate.change(before, after).code == 0


def test_alarms_that_only_a_mute_composite_takes_over_are_not_heard(gate, alarms):
    mute = changed(COMPOSITE, "AlarmActions", ABSENT)
    answer = gate.change(alarms | {"All": COMPOSITE}, alarms | {"Other": mute})
    assert (PROTECTED, "All") in answer.kinds


def test_a_composite_that_hears_fewer_alarms_than_there_are(gate, alarms):
    fewer = changed(COMPOSITE, "AlarmRule", either("A"))
    answer = gate.change(alarms | {"All": COMPOSITE}, alarms | {"All": fewer})
    assert (PROTECTED, "All") in answer.kinds


def test_an_endpoint_that_serves_fewer_route_tables_is_passed_by(gate):
    table = resource("AWS::EC2::RouteTable", VpcId="v")
    endpoint = resource("AWS::EC2::VPCEndpoint", RouteTableIds=[{"Ref": "One"}, {"Ref": "Two"}])
    fewer = changed(endpoint, "RouteTableIds", [{"Ref": "One"}])
    both = {"One": table, "Two": table}
    assert (PROTECTED, "E") in gate.change(both | {"E": endpoint}, both | {"E": fewer}).kinds
    assert gate.change(both | {"E": endpoint}, {"One": table, "E": fewer}).code == 0


def test_an_alarm_that_reads_another_metric_in_its_expression(gate):
    def alarm(metric):
        stat = {"Metric": {"Namespace": "App", "MetricName": metric}, "Stat": "Sum", "Period": 60}
        return resource("AWS::CloudWatch::Alarm", Metrics=[{"Id": "m", "MetricStat": stat}], Threshold=1)

    answer = gate.change({"A": alarm("Parked")}, {"A": alarm("Other")})
    assert (PROTECTED, "A") in answer.kinds
    assert "no longer at App Parked Sum" in answer.text
