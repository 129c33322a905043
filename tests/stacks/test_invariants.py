"""Each invariant holds in every environment, and a breach of it is said in a sentence to act on."""

import pytest

from stacks.environments import PROD
from stacks.validation.plugin import INVARIANTS, findings
from tests.stacks.altered import altered, variable

TASK = "AWS::ECS::TaskDefinition"
QUEUE = "AWS::SQS::Queue"
SERVICE = "AWS::ECS::Service"
POLICY = "AWS::ApplicationAutoScaling::ScalingPolicy"
GIB = 1 << 30


def set_(key, value):
    return lambda properties: properties.__setitem__(key, value)


def receives(count):
    return lambda properties: properties["RedrivePolicy"].__setitem__("maxReceiveCount", count)


def container(key, value):
    return lambda properties: properties["ContainerDefinitions"][0].__setitem__(key, value)


def unlimited(properties):
    properties["ContainerDefinitions"][0].pop("Memory")


def no_mounts(properties):
    properties["ContainerDefinitions"][0].pop("MountPoints")


def spot_only(properties):
    properties["CapacityProviderStrategy"] = [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]


def unknown_provider(properties):
    properties["CapacityProviderStrategy"][1]["CapacityProvider"] = "FARGATE-SPOT"


def backlog_target(value):
    return lambda properties: properties["TargetTrackingScalingPolicyConfiguration"].__setitem__(
        "TargetValue", value
    )


def visible_only(properties):
    specification = properties["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]
    specification["Metrics"] = [metric for metric in specification["Metrics"] if metric["Id"] != "inflight0"]


def by_running_tasks(properties):
    specification = properties["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]
    (desired,) = [metric for metric in specification["Metrics"] if metric["Id"] == "desired"]
    desired["MetricStat"]["Metric"]["MetricName"] = "RunningTaskCount"


def no_fill(properties):
    specification = properties["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]
    specification["Metrics"][-1]["Expression"] = "(visible0+inflight0)/IF(desired>0,desired,1)"


def tracking(key, value):
    return lambda properties: properties["TargetTrackingScalingPolicyConfiguration"].__setitem__(key, value)


def open_to_the_world(properties):
    properties["SecurityGroupIngress"] = [{"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp"}]


def short_uploads(properties):
    properties["LifecycleConfiguration"]["Rules"][0]["AbortIncompleteMultipartUpload"] = {
        "DaysAfterInitiation": 7
    }


BREACHES = [
    ("visibility", QUEUE, "download-tasks/Queue", set_("VisibilityTimeout", 60), "VISIBILITY_TIMEOUT_S=300"),
    ("patience", TASK, "worker", variable("MAX_RECEIVE_COUNT", "7"), "after 8 receives"),
    ("patience", QUEUE, "export-jobs/Queue", receives(6), "vanish without"),
    ("patience", TASK, "worker", variable("LONGEST_OUTAGE_S", "3600"), "LONGEST_OUTAGE_S=3600"),
    (
        "patience",
        TASK,
        "orchestrator",
        variable("NOT_READY_MAX_WAIT_S", "86400"),
        "longest outage is 259200 s",
    ),
    ("retention", QUEUE, "export-jobs/Queue", set_("MessageRetentionPeriod", 86_400), "expire unseen"),
    ("visibility", TASK, "worker", variable("HEARTBEAT_INTERVAL_S", "150"), "one lost heartbeat"),
    ("longest-work", TASK, "worker", variable("HANDOVER_AFTER_S", "43000"), "12 h that SQS holds"),
    ("longest-work", TASK, "worker", variable("PROTECTION_MINUTES", "120"), "protects itself"),
    (
        "retention",
        QUEUE,
        "download-tasks/Queue",
        set_("MessageRetentionPeriod", 3600),
        "After an outage of 72 h",
    ),
    ("retention", QUEUE, "DeadLetterQueue", set_("MessageRetentionPeriod", 3600), "expire on arrival"),
    ("retention", TASK, "worker", variable("LEDGER_RETENTION_DAYS", "7"), "The ledger forgets after 7 days"),
    ("retention", "AWS::S3::Bucket", "", short_uploads, "aborted_uploads_days"),
    ("stopping", TASK, "worker", container("StopTimeout", 130), "Fargate gives at most 120"),
    ("stopping", TASK, "worker", container("StopTimeout", 30), "killed after 30"),
    ("task-size", TASK, "orchestrator", set_("Memory", "512"), "which Fargate does not offer"),
    ("task-size", TASK, "orchestrator", container("Memory", 2048), "may use 2048 MiB"),
    ("task-size", TASK, "orchestrator", unlimited, "no memory limit of its own"),
    ("task-size", TASK, "worker", variable("MEMORY_BUDGET_BYTES", str(4 * GIB)), "Lower MEMORY_BUDGET_BYTES"),
    ("task-size", TASK, "worker", variable("SCRATCH_BUDGET_BYTES", str(96 * GIB)), "on a disk of 100"),
    ("task-size", TASK, "worker", no_mounts, "no writable volume"),
    ("scaling", POLICY, "Worker/Scaling", visible_only, "does not scale on its backlog"),
    ("scaling", POLICY, "Worker/Scaling", by_running_tasks, "does not scale on its backlog"),
    ("scaling", POLICY, "Worker/Scaling", no_fill, "does not scale on its backlog"),
    ("scaling", POLICY, "Worker/Scaling", backlog_target(8), "tasks stay mostly empty"),
    ("scaling", POLICY, "Worker/Scaling", backlog_target(5000), "between 256 and 2048"),
    ("scaling", POLICY, "Worker/Scaling", tracking("ScaleInCooldown", 60), "a ScaleInCooldown of 60 s"),
    (
        "scaling",
        POLICY,
        "worker/Worker/Service",
        tracking("ScaleOutCooldown", 0),
        "a ScaleOutCooldown of 0 s",
    ),
    ("scaling", POLICY, "Worker/Scaling", tracking("DisableScaleIn", True), "never scales in"),
    ("capacity", SERVICE, "worker", spot_only, "does not fall back to on-demand"),
    ("capacity", SERVICE, "worker", unknown_provider, "'FARGATE-SPOT', which does not exist"),
    ("settings", TASK, "worker", variable("PROTECTION_MINUTES", "2881"), "maximum of 2880"),
    ("settings", TASK, "worker", variable("SLOT", "32"), "SLOT, which it does not read"),
    ("settings", TASK, "worker", variable("BUCKET_NAME", ""), "needs BUCKET_NAME"),
    ("settings", TASK, "worker", variable("MAX_ENTRIES", "many"), "'many' is not of type 'integer'"),
    ("settings", TASK, "worker", variable("EXPORT_API_AUTH", "basic"), "'basic' is not one of"),
    ("settings", TASK, "worker", variable("MAX_RATIO", {"Ref": "Ratio"}), "Give a literal value"),
    ("settings", TASK, "worker", variable("STOP_MARGIN_S", "120"), "Set STOP_MARGIN_S below STOP_TIMEOUT_S"),
    ("settings", TASK, "worker", variable("LIVENESS_LIMIT_S", "20"), "would look like a deadlock"),
    (
        "settings",
        TASK,
        "worker",
        variable("DOWNLOAD_ALLOW_HTTP", "maybe"),
        "'maybe' is not of type 'boolean'",
    ),
    ("settings", TASK, "worker", variable("SERVICE_MODE", "sweeper"), "no service of the runtime"),
    ("exposure", "AWS::EC2::SecurityGroup", "worker", open_to_the_world, "admits the whole internet"),
]


def test_every_environment_keeps_every_invariant(deployment):
    assert [finding.text for _, finding in findings(deployment)] == []


@pytest.mark.parametrize("breach", BREACHES, ids=[f"{rule}: {sentence}" for rule, *_, sentence in BREACHES])
def test_a_breach_is_said(deployments, breach):
    rule, type_, path, change, sentence = breach
    found = list(findings(altered(deployments["prod"], type_, change, path=path)))

    assert {name for name, _ in found} == {rule}
    assert any(sentence in finding.text for _, finding in found)
    assert all(finding.text.endswith(".") and finding.resource.path for _, finding in found)


@pytest.mark.parametrize(
    ("changes", "rule", "sentence"),
    [
        ({"worker": {"max_tasks": 4, "on_demand_base": 1}}, "retention", "the backlog would grow for ever"),
        (
            {"worker": {"max_tasks": 10}, "load": {"peak_hours": 20}},
            "peak",
            "brings 10,417 at once: after 20 h of it",
        ),
        (
            {"worker": {"max_tasks": 8}, "alarms": {"queue_wait_hours": 0.5}},
            "peak",
            "says 0.5",
        ),
        (
            {"load": {"mean_archive_minutes": 300, "p95_archive_minutes": 400, "peak_hours": 6}},
            "peak",
            "104,167 at once",
        ),
    ],
)
def test_a_fleet_that_cannot_keep_up_is_said(deployments, changes, rule, sentence):
    small = PROD.derive(**changes)
    found = list(findings(altered(deployments["prod"], TASK, lambda _: None, environment=small)))

    assert any(name == rule and sentence in finding.text for name, finding in found), found


def test_every_invariant_has_a_breach_here():
    assert {breach[0] for breach in BREACHES} | {"peak"} >= set(INVARIANTS)
