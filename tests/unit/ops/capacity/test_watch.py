"""Which alarms ring on a day, and when; what comes near SQS's bounds."""

from dataclasses import replace

import numpy as np
import pytest

from ops.assembly.model import Resource
from ops.capacity.alarms import Alarm, Watched, alarms_of
from ops.capacity.model import Play
from ops.capacity.scenarios import Scenario
from ops.capacity.text import watch_rows
from ops.capacity.watch import oldest_messages_s, watch
from tests.unit.ops.capacity.small import BACKLOG, archives, environment, fixed, played, service

QUEUE = '{"Fn::ImportValue": "DownloadTasks"}'


def alarm(expression, *names, threshold, periods=3, period_s=300, points=None, of=QUEUE):
    return Alarm(
        name="alarm",
        expression=expression,
        metrics=tuple(Watched(id=f"m{place}", name=name, of=of) for place, name in enumerate(names)),
        comparison="GreaterThanOrEqualToThreshold",
        threshold=threshold,
        period_s=period_s,
        periods=periods,
        points=points or periods,
    )


AGE = alarm("MAX([FILL(m0,0)])", "ApproximateAgeOfOldestMessage", threshold=3_600)
DEPTH = alarm("m0", "ApproximateNumberOfMessagesVisible", threshold=5, periods=2)
IDLE = alarm(
    "IF(m0>0 AND m1<1 AND m2<1, 1, 0)",
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible",
    "NumberOfMessagesDeleted",
    threshold=1,
)
MEMORY = alarm("m0", "MemoryUtilization", threshold=80, of="worker")


def deployed(*alarms, slots=1):
    policy = replace(BACKLOG, queues=(QUEUE,))
    worker = service(least=1, most=1, policies=(policy,), settings={"SLOTS": str(slots)})
    return environment(worker=worker, alarm_rules=alarms)


def ten_one_after_the_other(*alarms, scenario=None):
    """Ten archives of 20 minutes come at once to one slot."""
    workload = archives(np.zeros(10), np.full(10, 1_200))
    more = {"scenario": scenario} if scenario else {}
    return played(workload, deployed(*alarms), how=Play(step_s=60, hours=5), **more)


def test_an_alarm_rings_after_its_periods_and_for_as_long_as_it_lasts():
    (ring,) = watch(ten_one_after_the_other(AGE)).rings
    # The oldest is an hour old when the fourth begins; three periods later it is said.
    assert ring.at_s == pytest.approx(3_600 + 900, abs=600)
    assert ring.minutes == pytest.approx((12_000 - ring.at_s) / 60, abs=15)


def test_a_queue_that_shortens_ends_its_alarm():
    (ring,) = watch(ten_one_after_the_other(DEPTH)).rings
    assert ring.at_s == 600
    # Five wait until the sixth begins, after 100 minutes.
    assert ring.minutes == pytest.approx(100, abs=15)


def test_what_stands_still_rings_only_while_the_vendor_is_away():
    away = Scenario(what="away", outages=((1, 1),))
    assert watch(ten_one_after_the_other(IDLE)).rings == ()
    (ring,) = watch(ten_one_after_the_other(IDLE, scenario=away)).rings
    assert ring.at_s == pytest.approx(3_600 + 900, abs=600)


def test_an_alarm_on_what_is_not_modelled_is_counted_and_not_taken_for_silent():
    other = replace(DEPTH, metrics=(Watched(id="m0", name=DEPTH.metrics[0].name, of="another queue"),))
    seen = watch(ten_one_after_the_other(DEPTH, MEMORY, other))
    assert (seen.judged, seen.unheard) == (1, 2)


def test_the_oldest_message_counts_what_is_in_hand():
    day = ten_one_after_the_other()
    ages = oldest_messages_s(day)
    now = (np.arange(len(ages)) + 1) * 60
    there = now < day.done_at.max()
    assert ages[there] == pytest.approx(now[there])
    assert not ages[~there].any()


def test_a_message_beyond_retention_or_a_receipt_beyond_twelve_hours_is_said():
    day = played(archives([0], [50_000]), fixed(1, 1), how=Play(step_s=300, hours=1))
    seen = watch(day)
    assert seen.longest_receipt_s == pytest.approx(39_600, abs=600), "handed over before SQS takes it away"
    never = replace(day, deployed=replace(day.deployed, retention_s=40_000), longest_receipt_s=50_000)
    said = " ".join(note for _, _, note in watch_rows(watch(never)))
    assert "LOST before it is done" in said
    assert "taken away" in said


def test_an_alarm_without_metric_math_is_read_as_one_with():
    resource = Resource(
        logical_id="MemoryABCDEF12",
        type="AWS::CloudWatch::Alarm",
        properties={
            "MetricName": "MemoryUtilization",
            "Dimensions": [{"Name": "ServiceName", "Value": "worker"}],
            "Period": 300,
            "Threshold": 80,
            "EvaluationPeriods": 3,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        },
    )

    class Stack:
        def of_type(self, _type):
            return [resource]

    (read,) = alarms_of([Stack()])
    assert (read.name, read.expression, read.period_s, read.points) == ("Memory", "m1", 300, 3)
