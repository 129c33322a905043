"""Who notices: alarms, trails, flow logs, subscriptions, and whether they still see what they saw."""

from collections.abc import Iterator
from typing import Any

from ops.assembly.model import Json, Resource, Stack
from ops.assembly.tokens import references, text_of
from ops.gate.model import ChangeKind, Finding
from ops.gate.rules.comparison import Comparison
from ops.gate.rules.guard import Guard, guarded
from ops.gate.rules.values import altered, appeared, raised, ranked, removed, switched_off, turned_false

_ALARM, _COMPOSITE = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"
# Resources that do nothing but watch or guard: without one of them something goes on unseen.
_GUARDIANS = {
    _ALARM: "nobody is told any more",
    _COMPOSITE: "nobody is told any more",
    "AWS::AccessAnalyzer::Analyzer": "access from outside goes unseen",
    "AWS::ApplicationAutoScaling::ScalableTarget": "the service no longer scales",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "the service no longer scales by it",
    "AWS::Backup::BackupPlan": "no more backups are made",
    "AWS::Backup::BackupSelection": "what it selected is not backed up any more",
    "AWS::Budgets::Budget": "costs go unseen",
    "AWS::CE::AnomalySubscription": "costs go unseen",
    "AWS::CloudTrail::Trail": "calls are not recorded any more",
    "AWS::Config::ConfigRule": "what breaks the rule goes unseen",
    "AWS::Config::ConfigurationRecorder": "changes by hand go unseen",
    "AWS::EC2::FlowLog": "who talked to whom is not recorded any more",
    "AWS::EC2::VPCEndpoint": "its traffic goes over the internet, past the endpoint's policy",
    "AWS::Events::Rule": "its events reach nobody",
    "AWS::GuardDuty::Detector": "attacks go unseen",
    "AWS::Inspector2::Filter": "findings are filtered differently",
    "AWS::Logs::MetricFilter": "what it counts is not counted any more",
    "AWS::Logs::SubscriptionFilter": "its lines reach nobody",
    "AWS::Organizations::Policy": "what it denied the accounts is allowed",
    "AWS::S3::BucketPolicy": "what it denied is allowed",
    "AWS::SNS::Subscription": "whoever subscribed is not told any more",
    "AWS::SecretsManager::RotationSchedule": "the secret is not rotated any more",
    "AWS::SecurityHub::Hub": "findings go unseen",
    "AWS::WAFv2::WebACLAssociation": "requests are not filtered any more",
}
# Words about a resource, which a move to another logical id may change.
_WORDS = ("AlarmDescription", "AlarmName", "Description", "Name", "Tags")
_TENFOLD = 10

GUARDS = (
    *(
        guard
        for type_ in (_ALARM, _COMPOSITE)
        for guard in (
            Guard(
                type=type_, path="ActionsEnabled", weaker=turned_false, text="is switched off: nobody is told"
            ),
            Guard(
                type=type_,
                path=r"(AlarmActions|InsufficientDataActions)\.[^.]+",
                weaker=altered,
                text="is removed or another: who was told is not",
            ),
        )
    ),
    Guard(
        type=_ALARM,
        path="TreatMissingData",
        weaker=ranked(
            "ignore", "notBreaching", "missing", "breaching", absent_before="missing", absent_after="missing"
        ),
        text="is laxer: silence is taken for health",
    ),
    Guard(type=_COMPOSITE, path="ActionsSuppressor", weaker=appeared, text="mutes the alarm"),
    Guard(
        type="AWS::EC2::FlowLog",
        path="TrafficType",
        weaker=ranked("ACCEPT", "REJECT", "ALL"),
        text="records less",
    ),
    Guard(
        type="AWS::EC2::FlowLog",
        path="LogDestination|LogGroupName|LogFormat|LogDestinationType|ResourceId|ResourceType",
        weaker=altered,
        text="is another: its readers look at the old one",
    ),
    Guard(type="AWS::EC2::FlowLog", path="MaxAggregationInterval", weaker=raised(600), text="is coarser"),
    Guard(
        type="AWS::EC2::VPCEndpoint",
        path="PrivateDnsEnabled",
        weaker=switched_off,
        text="is switched off: calls go over the internet, past the endpoint's policy",
    ),
    Guard(
        type="AWS::CloudTrail::Trail",
        path="IsLogging|IsMultiRegionTrail|EnableLogFileValidation|IncludeGlobalServiceEvents",
        weaker=switched_off,
        text="is switched off",
    ),
    Guard(type="AWS::GuardDuty::Detector", path="Enable", weaker=switched_off, text="is switched off"),
    Guard(
        type="AWS::Events::Rule",
        path="State",
        weaker=lambda was, now: text_of(now or "ENABLED") != "ENABLED" == text_of(was or "ENABLED"),
        text="is switched off: its events reach nobody",
    ),
    Guard(
        type="AWS::Events::Rule", path=r"Targets\.[^.]+(\.Arn)?", weaker=altered, text="is another, or gone"
    ),
    Guard(
        type="AWS::Events::Rule", path=r"EventPattern\..+", weaker=appeared, text="narrows what the rule sees"
    ),
    Guard(type="AWS::SNS::Subscription", path="FilterPolicy", weaker=appeared, text="holds messages back"),
    Guard(type="AWS::Logs::MetricFilter", path="FilterPattern", weaker=altered, text="counts something else"),
    Guard(
        type="AWS::Lambda::EventSourceMapping", path="Enabled", weaker=turned_false, text="is switched off"
    ),
    Guard(path=r"(.+\.)?VPCFlowLogs|(.+\.)?AccessLogSetting", weaker=removed, text="is removed"),
)


def watching_findings(comparison: Comparison) -> Iterator[Finding]:
    """Watchers that are gone, mute or short-sighted; one that only moved is not."""
    yield from guarded(comparison, GUARDS)
    for resource in comparison.gone(*_GUARDIANS):
        split = resource.type == _COMPOSITE and not _unheard(resource, comparison)
        if not split and not _moved(resource, comparison):
            yield comparison.finding(
                resource, ChangeKind.PROTECTION_WEAKENED, f"is removed: {_GUARDIANS[resource.type]}"
            )
    for before, after in comparison.kept("AWS::EC2::VPCEndpoint"):
        ways = set(references(before.properties.get("RouteTableIds")))
        ways -= set(references(after.properties.get("RouteTableIds")))
        if bypassed := sorted(ways & comparison.after.resources.keys()):
            around = (
                "RouteTableIds: traffic by these tables goes over the internet, past the endpoint's policy"
            )
            yield comparison.finding(after, ChangeKind.PROTECTION_WEAKENED, around, *bypassed)
    for before, after in comparison.kept(_ALARM):
        if text := _duller(before.properties, after.properties):
            yield comparison.finding(after, ChangeKind.PROTECTION_WEAKENED, text)
    for before, after in comparison.kept(_COMPOSITE):
        if unheard := _unheard(before, comparison):
            yield comparison.finding(
                after, ChangeKind.PROTECTION_WEAKENED, "AlarmRule no longer hears every alarm", *unheard
            )


def _unheard(composite: Resource, comparison: Comparison) -> list[str]:
    """The alarms that no composite with actions hears any more; one that is gone is a finding by itself."""
    stacks = comparison.neighbours_after.values()
    heard = {
        name
        for stack in stacks
        for other in stack.of_type(_COMPOSITE)
        if other.properties.get("AlarmActions")
        for name in _named(other.properties.get("AlarmRule"))
    }
    gone = _alarms(comparison.neighbours_before) - _alarms(comparison.neighbours_after)
    lost = _named(composite.properties.get("AlarmRule")) - heard
    return sorted(name for name in lost if not any(logical_id in name for logical_id in gone))


def _alarms(stacks: dict[str, Stack]) -> set[str]:
    return {alarm.logical_id for stack in stacks.values() for alarm in stack.of_type(_ALARM, _COMPOSITE)}


def _moved(resource: Resource, comparison: Comparison) -> bool:
    same = _without_words(resource.properties)
    return any(
        _without_words(other.properties) == same
        for stack in comparison.neighbours_after.values()
        for other in stack.of_type(resource.type)
        if other.logical_id not in (comparison.before.resources if comparison.before else {})
        or stack.name != comparison.after.name
    )


def _without_words(properties: Json) -> Json:
    return {key: value for key, value in properties.items() if key not in _WORDS}


def _duller(before: Json, after: Json) -> str | None:
    """A sentence when the alarm sees something else, or only what is ten times worse or longer."""
    lost = sorted(_metrics(before) - _metrics(after))
    if lost:
        return f"looks at something else: no longer at {', '.join(lost)}"
    if text_of(before.get("ComparisonOperator")) != text_of(after.get("ComparisonOperator")):
        return "ComparisonOperator is another: the alarm looks the other way"
    high = "Greater" in text_of(before.get("ComparisonOperator", ""))
    was, now = _number(before.get("Threshold")), _number(after.get("Threshold"))
    if was is not None and now is not None:
        duller = now > max(was * _TENFOLD, was + 1) if high else now < min(was / _TENFOLD, was)
        if duller:
            return f"Threshold {was:g} → {now:g}: only what is ten times worse is seen"
    was_s, now_s = _patience_s(before), _patience_s(after)
    if was_s is not None and now_s is not None and now_s > was_s * _TENFOLD:
        return f"waits {now_s:g} s instead of {was_s:g} s before it tells"
    return None


def _metrics(alarm: Json) -> set[str]:
    """The metrics that an alarm reads, alone or in an expression, with dimensions and statistic."""
    listed = [item["MetricStat"] for item in alarm.get("Metrics", []) if "MetricStat" in item]
    stats = [{**stat.get("Metric", {}), "Stat": stat.get("Stat")} for stat in listed]
    if "MetricName" in alarm:
        names = ("Namespace", "MetricName", "Dimensions")
        stat = alarm.get("Statistic", alarm.get("ExtendedStatistic"))
        stats.append({name: alarm.get(name) for name in names} | {"Stat": stat})
    named = ("Namespace", "MetricName", "Dimensions", "Stat")
    return {" ".join(text_of(stat[name]) for name in named if stat.get(name)) for stat in stats}


def _patience_s(alarm: Json) -> float | None:
    period = _number(alarm.get("Period", 60))
    points = _number(alarm.get("DatapointsToAlarm", alarm.get("EvaluationPeriods", 1)))
    return None if period is None or points is None else period * points


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _named(rule: Any) -> set[str]:
    """The alarms that a composite's rule names."""
    return {part.split(")")[0].strip("\" '") for part in text_of(rule or "").split("ALARM(")[1:]}
