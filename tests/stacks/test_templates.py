"""What the templates promise, environment by environment."""

import json
import re
from pathlib import Path

import pytest

from stacks.environments import ENVIRONMENTS
from tests.stacks.conftest import ROOT

BY_NAME = {environment.name: environment for environment in ENVIRONMENTS}
FORTNIGHT_S = 14 * 86_400
STATEFUL = (
    "AWS::S3::Bucket",
    "AWS::DynamoDB::Table",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::KMS::Key",
)


def listed(value):
    return value if isinstance(value, list) else [value]


def only(resources):
    (resource,) = resources
    return resource.properties


def test_four_queues_encrypted_kept_a_fortnight_and_redriven_to_their_own(deployment):
    queues = deployment.of_type("AWS::SQS::Queue")
    assert len(queues) == 4
    for queue in queues:
        assert queue.properties["SqsManagedSseEnabled"] is True
        assert queue.properties["MessageRetentionPeriod"] == FORTNIGHT_S
    for service in deployment.services():
        allowed = service.dead_letter_queue.properties["RedriveAllowPolicy"]
        assert allowed["redrivePermission"] == "byQueue"
        assert json.dumps(allowed["sourceQueueArns"]).count(service.queue.properties["QueueName"]) == 1


def test_every_queue_and_its_dlq_can_be_named_from_the_outputs(deployment):
    templates = [json.loads(Path(q.template).read_text()) for q in deployment.of_type("AWS::SQS::Queue")]
    named = {
        (name, deployment.target(deployment.of_type("AWS::SQS::Queue")[0].template, output["Value"]).path)
        for name, output in templates[0]["Outputs"].items()
        if name.endswith(("Url", "Arn")) and not name.startswith("ExportsOutput")
    }
    stack = f"{deployment.environment.name}/messaging"
    assert named == {
        (f"{label}{kind}{part}", f"{stack}/{name}/{construct}/Resource")
        for label, name in (("ExportJobs", "export-jobs"), ("DownloadTasks", "download-tasks"))
        for kind, construct in (("Queue", "Queue"), ("Dlq", "DeadLetterQueue"))
        for part in ("Url", "Arn")
    }


@pytest.mark.parametrize("type_", ["AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy"])
def test_nothing_is_reached_without_tls(deployment, type_):
    for policy in deployment.of_type(type_):
        statements = policy.properties["PolicyDocument"]["Statement"]
        assert any(
            statement["Effect"] == "Deny"
            and statement["Condition"].get("Bool", {}).get("aws:SecureTransport") == "false"
            for statement in statements
        ), policy.path


def test_the_bucket_is_private_versioned_and_tidied(deployment):
    bucket = only(deployment.of_type("AWS::S3::Bucket"))
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert {"abandoned-uploads", "replaced-versions"} <= rules.keys()
    assert ("infrequent-access" in rules) == (deployment.environment.name == "prod")


def test_the_secret_starts_without_a_value(deployment):
    secret = only(deployment.of_type("AWS::SecretsManager::Secret"))
    assert {"GenerateSecretString", "SecretString"} & secret.keys() == set()


def test_tables_can_be_restored_and_the_ledger_forgets(deployment):
    tables = {
        table.path.split("/")[-3]: table.properties for table in deployment.of_type("AWS::DynamoDB::Table")
    }
    protected = deployment.environment.storage.protected
    for table in tables.values():
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["DeletionProtectionEnabled"] is protected
        assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert [key["AttributeName"] for key in tables["Ledger"]["KeySchema"]] == ["export_job_id", "item"]
    assert ("Metadata" in tables) == (deployment.environment.name == "dev"), "others own it elsewhere"
    if "Metadata" in tables:
        keys = [key["AttributeName"] for key in tables["Metadata"]["KeySchema"]]
        assert keys == ["export_job_id", "file_path"]
    assert tables["Ledger"]["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


@pytest.mark.parametrize("name", BY_NAME)
def test_what_must_not_be_lost_is_retained_where_it_is_protected(assembly, name):
    protected = BY_NAME[name].storage.protected
    directory = assembly / f"assembly-{name}"
    artifacts = json.loads((directory / "manifest.json").read_text())["artifacts"]
    for artifact in artifacts.values():
        if artifact["type"] != "aws:cloudformation:stack":
            continue
        properties = artifact["properties"]
        template = json.loads((directory / properties["templateFile"]).read_text())
        stateful = [body for body in template["Resources"].values() if body["Type"] in STATEFUL]
        if protected:
            assert properties.get("terminationProtection", False) is bool(stateful)
            # Kept for ever, except when the very first creation fails and would block the next.
            assert {body["DeletionPolicy"] for body in stateful} <= {"RetainExceptOnCreate"}
            assert {body["UpdateReplacePolicy"] for body in stateful} <= {"Retain"}


def test_containers_can_write_nowhere_but_to_scratch_and_are_nobody(deployment):
    for service in deployment.services():
        container = service.container
        assert container["ReadonlyRootFilesystem"] is True
        assert container["User"] == "10001:10001"
        assert container["StopTimeout"] == 120
        assert container["LinuxParameters"] == {"Capabilities": {"Drop": ["ALL"]}, "InitProcessEnabled": True}
        assert container["Command"] == ["python", "-m", f"runtime.{service.name}"]
        assert container["HealthCheck"]["Command"] == ["CMD", "python", "-m", "runtime.shared.healthcheck"]
        mounts = [mount["ContainerPath"] for mount in container.get("MountPoints", ())]
        assert mounts == (["/scratch"] if service.name == "worker" else [])


def test_sizes_are_the_designs(deployment):
    sizes = {
        service.name: (
            service.task.properties["Cpu"],
            service.task.properties["Memory"],
            service.container["Memory"],
        )
        for service in deployment.services()
    }
    assert sizes == {"orchestrator": ("512", "1024", 512), "worker": ("2048", "4096", 3840)}


def test_a_deployment_rolls_back_and_does_not_wait_for_busy_tasks(deployment):
    for service in deployment.services():
        properties = service.service.properties
        deployment_configuration = properties["DeploymentConfiguration"]
        assert deployment_configuration["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
        assert deployment_configuration["Alarms"]["Rollback"] is True
        assert deployment_configuration["Alarms"]["AlarmNames"]
        assert deployment_configuration["EarlySuccessCriteria"] == {
            "Enable": True,
            "HealthyPercent": 100,
            "SourceServiceRevisionCleanup": "DEFERRED",
        }
        assert properties["AvailabilityZoneRebalancing"] == "DISABLED"
        # Scaling owns the count: a deployment that set it would shrink a busy fleet.
        assert "DesiredCount" not in properties


def test_the_orchestrator_is_on_demand_with_two_tasks_and_the_worker_mostly_spot(deployment):
    views = {service.name: service for service in deployment.services()}
    providers = {
        name: [item["CapacityProvider"] for item in view.service.properties["CapacityProviderStrategy"]]
        for name, view in views.items()
    }
    assert providers == {"orchestrator": ["FARGATE"], "worker": ["FARGATE", "FARGATE_SPOT"]}
    least = {
        target.template: target.properties["MinCapacity"]
        for target in deployment.of_type("AWS::ApplicationAutoScaling::ScalableTarget")
    }
    assert least[views["orchestrator"].service.template] >= 2


def test_backlog_per_task_counts_what_is_in_hand_and_survives_no_tasks(deployment):
    for service in deployment.services():
        configurations = [
            policy.properties["TargetTrackingScalingPolicyConfiguration"] for policy in service.policies
        ]
        assert len(configurations) == 2
        backlog = next(c for c in configurations if "CustomizedMetricSpecification" in c)
        (result,) = [
            m for m in backlog["CustomizedMetricSpecification"]["Metrics"] if m.get("ReturnData") is True
        ]
        assert result["Expression"] == (
            "(FILL(visible0,0)+FILL(inflight0,0))/IF(FILL(desired,0)>0,FILL(desired,0),1)"
        )
        assert backlog["ScaleInCooldown"] >= 600


def test_prod_carries_the_records_load(deployments):
    environment = deployments["prod"].environment
    load, worker = environment.load, environment.worker
    assert (load.export_jobs_per_day, load.peak_factor, load.mean_archive_minutes) == (100_000, 5, 30)
    assert round(load.archives_at_once, -2) == 10_400
    assert worker.max_tasks * worker.slots >= load.archives_at_once
    assert load.archives_at_once / worker.backlog_per_task < worker.max_tasks / 2, "room for heavy archives"


def test_services_go_before_the_capacity_providers_they_use(assembly, deployment):
    # The association with the cluster is in the network stack: destroyed last, or ECS answers "in use".
    name = deployment.environment.name
    artifacts = json.loads((assembly / f"assembly-{name}" / "manifest.json").read_text())["artifacts"]
    stacks = {
        a["properties"]["stackName"]: a for a in artifacts.values() if "stackName" in a.get("properties", {})
    }
    network = next(
        key for key, a in artifacts.items() if a.get("displayName", "").startswith(f"{name}/network")
    )
    for service in ("orchestrator", "worker"):
        assert network in stacks[f"export-processing-{name}-{service}"]["dependencies"]


def test_services_share_no_resource_and_the_consumer_of_a_contract_goes_first(assembly, deployment):
    name = deployment.environment.name
    artifacts = json.loads((assembly / f"assembly-{name}" / "manifest.json").read_text())["artifacts"]
    stacks = {
        a["properties"]["stackName"].rpartition("-")[2]: (key, a)
        for key, a in artifacts.items()
        if a["type"] == "aws:cloudformation:stack"
    }
    orchestrator, worker = stacks["orchestrator"], stacks["worker"]
    assert worker[0] in orchestrator[1]["dependencies"]
    assert orchestrator[0] not in worker[1]["dependencies"]
    for one, other in ((orchestrator, "worker"), (worker, "orchestrator")):
        template = (assembly / f"assembly-{name}" / one[1]["properties"]["templateFile"]).read_text()
        assert f'"Fn::ImportValue": "export-processing-{name}-{other}:' not in template, "deployable alone"


def test_bulk_bytes_pass_gateway_endpoints_and_flows_are_logged(deployment):
    endpoints = deployment.of_type("AWS::EC2::VPCEndpoint")
    gateways = [e for e in endpoints if e.properties["VpcEndpointType"] == "Gateway"]
    assert len(gateways) == 2
    for gateway in gateways:
        for statement in gateway.properties["PolicyDocument"]["Statement"]:
            resources = statement["Resource"]
            assert not {"*", "arn:aws:s3:::*/*"} & {str(resource) for resource in listed(resources)}
    interfaces = [e for e in endpoints if e.properties["VpcEndpointType"] == "Interface"]
    assert len(interfaces) == len(deployment.environment.network.interface_endpoints)
    assert len(deployment.of_type("AWS::EC2::FlowLog")) == 1


def test_egress_is_what_the_environment_chose(deployment):
    network = deployment.environment.network
    assert len(deployment.of_type("AWS::EC2::NatGateway")) == network.nat_gateways
    for subnet in deployment.of_type("AWS::EC2::Subnet"):
        assert subnet.properties["MapPublicIpOnLaunch"] is False
    for service in deployment.services():
        configuration = service.service.properties["NetworkConfiguration"]["AwsvpcConfiguration"]
        assert configuration["AssignPublicIp"] == ("ENABLED" if network.egress == "public-ip" else "DISABLED")


THEMES = {
    "DataAtRisk": {"NewDeadLetters", "Expiring"},
    "FilesMissing": {"IncompleteJobs", "RejectedEntries"},
    "StandingStill": {"NotTaken", "NoCompletions", "CircuitOpen"},
    "FallingBehind": {"BacklogAge", "QueueWait", "FailingWork"},
    "CostAndCapacity": {"Memory", "SpotInterruptionsAlarm", "FailedDeploymentAlarm"},
}


def alarms_by_kind(deployment):
    found = {}
    for alarm in deployment.of_type("AWS::CloudWatch::Alarm"):
        if "/observability/" in alarm.path:
            kind = re.split("[/-]", alarm.path.removesuffix("/Resource"))[-1]
            found.setdefault(kind, []).append(alarm)
    return found


def test_each_theme_tells_on_its_own_and_every_alarm_is_heard_once(deployment):
    composites = {c.path.split("/")[-3]: c for c in deployment.of_type("AWS::CloudWatch::CompositeAlarm")}
    (topic,) = deployment.of_type("AWS::SNS::Topic")
    alarms = alarms_by_kind(deployment)
    assert composites.keys() == THEMES.keys()
    assert alarms.keys() == set().union(*THEMES.values()) | {"DeadLetters"}, "and DeadLetters is only shown"
    for theme, kinds in THEMES.items():
        composite = composites[theme].properties
        rule = json.dumps(composite["AlarmRule"])
        heard = {kind for kind, found in alarms.items() if any(alarm.logical_id in rule for alarm in found)}
        assert heard == kinds, theme
        assert all(alarm.logical_id in rule for kind in kinds for alarm in alarms[kind])
        assert composite["AlarmActions"] == composite["OKActions"] == [{"Ref": topic.logical_id}]
        assert deployment.environment.runbook_url in composite["AlarmDescription"]


def expression_of(alarm):
    (result,) = [m for m in alarm.properties["Metrics"] if m.get("ReturnData", True)]
    return result["Expression"]


def test_what_stands_on_a_dead_letter_queue_does_not_hide_what_comes(deployment):
    for alarm in alarms_by_kind(deployment)["NewDeadLetters"]:
        assert expression_of(alarm).startswith("DIFF(")


def test_one_long_archive_pages_nobody(deployment):
    load, values = deployment.environment.load, deployment.environment.alarms
    (age,) = [a for a in alarms_by_kind(deployment)["BacklogAge"] if "/worker/" in a.path]
    assert age.properties["Threshold"] == 3600 * (values.oldest_message_hours + load.longest_archive_hours)
    for alarm in alarms_by_kind(deployment)["NoCompletions"]:
        assert re.search(r"Inflight0,0\)\)>=10 AND", expression_of(alarm)), "one in hand is not enough"
    for alarm in alarms_by_kind(deployment)["NotTaken"]:
        assert "Inflight0,0))<1" in expression_of(alarm), "what is in hand has been taken"


def test_a_deployment_is_judged_by_what_a_version_can_cause(deployment):
    for service in deployment.services():
        (name,) = service.service.properties["DeploymentConfiguration"]["Alarms"]["AlarmNames"]
        (counted,) = deployment.target(service.service.template, name).properties["Metrics"]
        metric = counted["MetricStat"]["Metric"]
        assert (metric["Namespace"], metric["MetricName"]) == ("ExportProcessing", "SuspectFailures")
        assert {d["Name"]: d["Value"] for d in metric["Dimensions"]} == {
            "service": service.name,
            "environment": deployment.environment.name,
        }


def test_cloudwatch_may_publish_to_every_topic_that_an_alarm_tells(deployment):
    alarms = [
        *deployment.of_type("AWS::CloudWatch::Alarm"),
        *deployment.of_type("AWS::CloudWatch::CompositeAlarm"),
    ]
    told = {
        deployment.target(alarm.template, action).logical_id: deployment.target(alarm.template, action)
        for alarm in alarms
        for kind in ("AlarmActions", "OKActions", "InsufficientDataActions")
        for action in alarm.properties.get(kind, ())
    }
    assert told
    account = {"aws:SourceAccount": deployment.environment.account}
    for topic in told.values():
        (publish,) = [
            statement
            for policy in deployment.of_type("AWS::SNS::TopicPolicy")
            if {"Ref": topic.logical_id} in policy.properties["Topics"]
            for statement in policy.properties["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Allow"
        ]
        assert publish["Action"] == "sns:Publish"
        assert publish["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert publish["Resource"] == {"Ref": topic.logical_id}
        assert publish["Condition"]["StringEquals"] == account
        region, number = deployment.environment.region, deployment.environment.account
        assert publish["Condition"]["ArnLike"] == {
            "aws:SourceArn": f"arn:aws:cloudwatch:{region}:{number}:alarm:*"
        }
        encrypted_by = topic.properties.get("KmsMasterKeyId")
        assert (encrypted_by is not None) == deployment.environment.storage.customer_managed_key
        if encrypted_by is not None:
            key = deployment.target(topic.template, encrypted_by)
            (use,) = [
                statement
                for statement in key.properties["KeyPolicy"]["Statement"]
                if statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
            ]
            assert use["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
            assert use["Condition"]["StringEquals"] == account


def test_one_policy_lets_the_counting_rules_write_their_logs(deployment):
    policy = only(deployment.of_type("AWS::Logs::ResourcePolicy"))
    document = policy["PolicyDocument"]
    rules = [rule.logical_id for rule in deployment.of_type("AWS::Events::Rule")]
    assert len(rules) == 2
    assert all(rule in json.dumps(document) for rule in rules)
    assert "aws:SourceArn" in json.dumps(document)


def test_logs_outlive_a_protected_services_stack(deployment):
    protected = deployment.environment.storage.protected
    groups = [g for g in deployment.of_type("AWS::Logs::LogGroup") if "LogGroupName" not in g.properties]
    assert len(groups) == 3
    for group in groups:
        template = json.loads(Path(group.template).read_text())
        policy = template["Resources"][group.logical_id]["DeletionPolicy"]
        assert policy == ("Retain" if protected else "Delete"), group.path
        assert group.properties["RetentionInDays"] == deployment.environment.log_retention_days


def test_a_service_without_scratch_makes_no_temporary_files():
    # Its root is read-only: tempfile would find no directory, and only once it is deployed.
    for folder in ("orchestrator", "shared"):
        for file in (ROOT / "runtime" / folder).rglob("*.py"):
            assert "tempfile" not in file.read_text(), file


def test_the_dashboard_asks_three_questions(deployment):
    body = json.dumps(only(deployment.of_type("AWS::CloudWatch::Dashboard"))["DashboardBody"])
    for question in ("Are we keeping up?", "What is failing?", "What does it cost?"):
        assert question in body


def test_everything_is_tagged_with_its_environment(deployment):
    for bucket in deployment.of_type("AWS::S3::Bucket"):
        assert {"Key": "environment", "Value": deployment.environment.name} in bucket.properties["Tags"]
        assert {"Key": "system", "Value": "export-processing"} in bucket.properties["Tags"]
