"""Drift: where a resource is no longer what its stack's template says.

`DetectStackDrift` compares the properties that a template gives with the live ones, for the types that can be
read here; every other is NOT_CHECKED, as AWS answers for types without drift detection. Detection is done
when it is asked for, so its status is complete at once. As documented, only properties that the template
gives are compared, a deleted resource has no actual properties, and only a modified one has differences.

Sources: "Detect unmanaged configuration changes to stacks and resources" in the CloudFormation User Guide,
StackResourceDrift and PropertyDifference in the API Reference.
"""

# ruff: noqa: SLF001 -- moto offers no other way in

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from moto.cloudformation.models import Stack
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult

from local.cloudformation.engine import resolved_of
from local.cloudformation.model import Api, ApiModel, Properties
from local.cloudformation.readers import GONE, READERS

_detections: dict[str, dict[str, Any]] = {}


def install() -> None:
    """Add the three actions."""
    CloudFormationResponse.detect_stack_drift = _detect  # type: ignore[attr-defined]
    CloudFormationResponse.describe_stack_drift_detection_status = _status  # type: ignore[attr-defined]
    CloudFormationResponse.describe_stack_resource_drifts = _drifts  # type: ignore[attr-defined]


def _detect(self: CloudFormationResponse) -> ActionResult:
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    drifts = resource_drifts(stack)
    drifted = [drift for drift in drifts if drift["StackResourceDriftStatus"] in ("MODIFIED", "DELETED")]
    detection = str(uuid.uuid4())
    _detections[detection] = {
        "StackId": stack.stack_id,
        "StackDriftDetectionId": detection,
        "StackDriftStatus": "DRIFTED" if drifted else "IN_SYNC",
        "DetectionStatus": "DETECTION_COMPLETE",
        "DriftedStackResourceCount": len(drifted),
        "Timestamp": datetime.now(UTC),
    }
    return ActionResult({"StackDriftDetectionId": detection})


def _status(self: CloudFormationResponse) -> ActionResult:
    return ActionResult(_detections[self._get_param("StackDriftDetectionId")])


def _drifts(self: CloudFormationResponse) -> ActionResult:
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    wanted = set(self._get_param("StackResourceDriftStatusFilters") or ())
    drifts = resource_drifts(stack)
    return ActionResult(
        {
            "StackResourceDrifts": [
                drift for drift in drifts if not wanted or drift["StackResourceDriftStatus"] in wanted
            ]
        }
    )


def resource_drifts(stack: Stack) -> list[dict[str, Any]]:
    """One StackResourceDrift for each resource of the stack."""
    found = []
    for key, definition in stack.resource_map._resource_json_map.items():
        resource = stack.resource_map._parsed_resources.get(key)
        if resource is None:
            continue
        live = _live(definition["Type"], resource, stack.region_name)
        expected = resolved_of(stack.resource_map).get(key, {})
        found.append(_drift(stack, key, resource, expected, live))
    return found


def _drift(
    stack: Stack, key: str, resource: Any, expected: Properties, live: Properties | None
) -> dict[str, Any]:
    differences = [
        {
            "PropertyPath": f"/{name}",
            "ExpectedValue": _text(expected[name]),
            "ActualValue": _text(value),
            "DifferenceType": "REMOVE" if value is None else "NOT_EQUAL",
        }
        for name, value in (live or {}).items()
        if name in expected and _text(expected[name]) != _text(value)
    ]
    if live is None:
        status = "NOT_CHECKED"
    elif not live:
        status = "DELETED"
    else:
        status = "MODIFIED" if differences else "IN_SYNC"
    drift = {
        "StackId": stack.stack_id,
        "LogicalResourceId": key,
        "PhysicalResourceId": str(resource.physical_resource_id),
        "ResourceType": resource.cf_resource_type,
        "StackResourceDriftStatus": status,
        "Timestamp": datetime.now(UTC),
    }
    if live is not None:
        drift["ExpectedProperties"] = json.dumps(expected)
    if live:
        drift["ActualProperties"] = json.dumps(live)
    if status == "MODIFIED":
        drift["PropertyDifferences"] = differences
    return drift


def _text(value: Any) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, sort_keys=True)


def _plain(value: Any) -> Any:
    """Templates write numbers and booleans as either; the services answer in one way."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _live(kind: str, resource: Any, region: str) -> Properties | None:
    """Its live properties; empty when it is gone, None when this type is not read here."""

    def client(service: str) -> Any:
        return Api.client(service, region)

    try:
        if isinstance(resource, ApiModel):
            return resource.read()
        reader = READERS.get(kind)
        return reader(client, resource.physical_resource_id) if reader else None
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return {}
        raise
