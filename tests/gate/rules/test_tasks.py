"""Containers less confined, and services that stand less firmly: blocked."""

import pytest

from tests.gate.rules.templates import ABSENT, CLUSTER, SERVICE, TARGET, TASK, C, changed
from tests.gate.test_losses import resource

PROTECTED = "protection-weakened"


SCALING = resource(
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    TargetTrackingScalingPolicyConfiguration={"TargetValue": 32},
)
BARE = {"Name": "extra", "Image": "busybox"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TASK, changed(TASK, f"{C}.ReadonlyRootFilesystem", False)),
        (TASK, changed(TASK, f"{C}.ReadonlyRootFilesystem", ABSENT)),
        (TASK, changed(TASK, f"{C}.Privileged", True)),
        (TASK, changed(TASK, f"{C}.User", "root")),
        (TASK, changed(TASK, f"{C}.User", "0")),
        (TASK, changed(TASK, f"{C}.User", "0:0")),
        (TASK, changed(TASK, f"{C}.User", "root:root")),
        (TASK, changed(TASK, f"{C}.User", ABSENT)),
        (TASK, changed(TASK, f"{C}.LinuxParameters.Capabilities.Add", ["SYS_PTRACE"])),
        (TASK, changed(TASK, f"{C}.LinuxParameters.Capabilities.Drop", ABSENT)),
        (TASK, changed(TASK, f"{C}.LinuxParameters.Capabilities.Drop", ["NET_RAW"])),
        (TASK, changed(TASK, f"{C}.LinuxParameters", ABSENT)),
        (TASK, changed(TASK, f"{C}.LinuxParameters.Devices", [{"HostPath": "/dev/mem"}])),
        (TASK, changed(TASK, f"{C}.HealthCheck", ABSENT)),
        (TASK, changed(TASK, f"{C}.StopTimeout", 5)),
        (TASK, changed(TASK, f"{C}.StopTimeout", ABSENT)),
        (TASK, changed(TASK, f"{C}.LogConfiguration", ABSENT)),
        (TASK, changed(TASK, f"{C}.LogConfiguration.Options.awslogs-group", "other")),
        (TASK, changed(TASK, f"{C}.MountPoints.0.ReadOnly", False)),
        (TASK, changed(TASK, f"{C}.Image", "docker.io/somebody/app:latest")),
        (TASK, changed(TASK, "ContainerDefinitions.1", BARE)),
        (
            TASK,
            changed(
                TASK,
                "ContainerDefinitions.1",
                BARE | {"Privileged": True, "User": "7", "ReadonlyRootFilesystem": True},
            ),
        ),
        (TASK, changed(TASK, "PidMode", "host")),
        (TASK, changed(TASK, "IpcMode", "task")),
        (TASK, changed(TASK, "NetworkMode", "host")),
        (TASK, changed(TASK, "Volumes", [{"Name": "v", "Host": {"SourcePath": "/"}}])),
        (TASK, changed(TASK, "EnableFaultInjection", True)),
        (SERVICE, changed(SERVICE, "DeploymentConfiguration.DeploymentCircuitBreaker.Enable", False)),
        (SERVICE, changed(SERVICE, "DeploymentConfiguration.DeploymentCircuitBreaker", ABSENT)),
        (SERVICE, changed(SERVICE, "DeploymentConfiguration.DeploymentCircuitBreaker.Rollback", False)),
        (SERVICE, changed(SERVICE, "DeploymentConfiguration.Alarms", ABSENT)),
        (SERVICE, changed(SERVICE, "DeploymentConfiguration.Alarms.AlarmNames", [])),
        (SERVICE, changed(SERVICE, "DeploymentConfiguration.MinimumHealthyPercent", 0)),
        (SERVICE, changed(SERVICE, "DesiredCount", 0)),
        (TASK, changed(TASK, f"{C}.Essential", False)),
        (TASK, changed(TASK, f"{C}.LogConfiguration.LogDriver", "none")),
        (SERVICE, changed(SERVICE, "AvailabilityZoneRebalancing", "ENABLED")),
        (SERVICE, changed(SERVICE, "CapacityProviderStrategy.0.Base", 0)),
        (SCALING, changed(SCALING, "TargetTrackingScalingPolicyConfiguration.TargetValue", 5000)),
        (TARGET, changed(TARGET, "MaxCapacity", 0)),
        (TARGET, changed(TARGET, "SuspendedState", {"DynamicScalingOutSuspended": True})),
        (CLUSTER, changed(CLUSTER, "ClusterSettings.0.Value", "disabled")),
        (CLUSTER, changed(CLUSTER, "ClusterSettings", ABSENT)),
    ],
)
def test_a_container_is_confined_less_or_a_service_stands_less_firmly(gate, before, after):
    answer = gate.change({"Thing": before}, {"Thing": after})
    assert answer.code == 1
    assert (PROTECTED, "Thing") in answer.kinds
