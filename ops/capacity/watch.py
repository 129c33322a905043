"""Which deployed alarms a day would set off, and whether a message comes near SQS's own bounds.

The alarms' own metric math is played on the metrics that the model has: a queue's depth, what it deleted, the
age of its oldest message (waiting or in hand, as SQS counts it), and an open circuit while the vendor is
away. Alarms on anything else are counted, so that nobody takes them for silent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ops.capacity.alarms import Alarm
from ops.capacity.metric_math import Value, evaluate
from ops.capacity.model import Day
from ops.capacity.workload import Seconds

VISIBILITY_MAXIMUM_S = 43_200
_COMPARED = {
    "GreaterThanOrEqualToThreshold": np.greater_equal,
    "GreaterThanThreshold": np.greater,
    "LessThanThreshold": np.less,
    "LessThanOrEqualToThreshold": np.less_equal,
}
Series = Mapping[str, Seconds]


@dataclass(frozen=True, kw_only=True)
class Rings:
    """An alarm that goes off, first at this second of the day, and for how long in all."""

    name: str
    at_s: float
    minutes: int


@dataclass(frozen=True, kw_only=True)
class Watch:
    """The alarms of a day. `unheard`: alarms on what the model does not have."""

    rings: tuple[Rings, ...]
    judged: int
    unheard: int
    oldest_message_s: float
    retention_s: float
    longest_receipt_s: float


def watch(day: Day) -> Watch:
    """Play every alarm of the environment on the day."""
    deployed = day.deployed
    oldest = oldest_messages_s(day)
    rings: list[Rings] = []
    unheard = 0
    for alarm in deployed.alarm_rules:
        found = _ring(alarm, day, oldest)
        if found is None:
            unheard += 1
        else:
            rings += found
    return Watch(
        rings=tuple(sorted(rings, key=lambda ring: (ring.at_s, ring.name))),
        judged=len(deployed.alarm_rules) - unheard,
        unheard=unheard,
        oldest_message_s=float(oldest.max(initial=0)),
        retention_s=deployed.retention_s,
        longest_receipt_s=day.longest_receipt_s,
    )


def oldest_messages_s(day: Day) -> Seconds:
    """By step, the age of the download queue's oldest message that is not deleted."""
    at = np.repeat(day.sent_at, np.diff(day.workload.first))
    order = np.argsort(at, kind="stable")
    at = at[order].astype(np.float64)
    # The oldest that is there at a time is the first that ends later than that.
    done = np.maximum.accumulate(np.nan_to_num(day.done_at[order].astype(np.float64), nan=np.inf))
    now = (np.arange(len(day.track.visible)) + 1) * day.play.step_s
    first = np.searchsorted(done, now, "right")
    born = np.append(at, np.inf)[first]
    return np.asarray(np.maximum(now - born, 0))


def _ring(alarm: Alarm, day: Day, oldest: Seconds) -> list[Rings] | None:
    """None where the model does not have what it looks at."""
    series = _series(alarm, day, oldest)
    if series is None:
        return None
    values = list(_values(alarm, series))
    compare = _COMPARED[alarm.comparison]
    over = np.array([value is not None and bool(compare(value, alarm.threshold)) for value in values])
    recent = np.convolve(over, np.ones(alarm.periods, np.int64))[: len(over)]
    ringing = recent >= alarm.points
    if not ringing.any():
        return []
    begins = (int(ringing.argmax()) + 1) * alarm.period_s
    return [
        Rings(name=alarm.name, at_s=float(begins), minutes=round(int(ringing.sum()) * alarm.period_s / 60))
    ]


def _series(alarm: Alarm, day: Day, oldest: Seconds) -> Series | None:
    """By period, each metric of the alarm: the download queue's own, and zero for what stays empty here."""
    track, group = day.track, max(1, round(alarm.period_s / day.play.step_s))
    starts = np.arange(0, len(track.visible), group)
    queues = day.deployed.worker.queues
    columns = {
        "ApproximateNumberOfMessagesVisible": np.maximum.reduceat(track.visible, starts),
        "ApproximateNumberOfMessagesNotVisible": np.maximum.reduceat(track.in_flight, starts),
        "NumberOfMessagesDeleted": np.add.reduceat(track.finished, starts),
        "ApproximateAgeOfOldestMessage": np.maximum.reduceat(oldest, starts),
    }
    away = [
        any(begin <= s * day.play.step_s / 3600 < begin + h for begin, h in day.scenario.outages)
        for s in starts
    ]
    nothing = np.zeros(len(starts))
    found: dict[str, Seconds] = {}
    ours = False
    for metric in alarm.metrics:
        if metric.name == "CircuitState" and '"worker"' in metric.of:
            found[metric.id], ours = np.array(away, float), True
        elif metric.name in columns and any(queue in metric.of for queue in queues[:1]):
            found[metric.id], ours = columns[metric.name].astype(np.float64), True
        elif metric.name in columns:
            # Queues of other priorities are played as one with the first; nothing is parked in the model.
            found[metric.id] = nothing
        else:
            return None
    return found if ours else None


def _values(alarm: Alarm, series: Series) -> Iterator[Value]:
    for point in zip(*series.values(), strict=True):
        yield evaluate(alarm.expression, dict(zip(series, map(float, point), strict=True)))
