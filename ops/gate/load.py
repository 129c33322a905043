"""Read a synthesized cloud assembly: every stack of every stage, asset hashes left out.

Asset hashes change with every edit of the code that is packed; that edit is reviewed as code. Leaving
them out keeps a report about infrastructure. Nothing else is normalised.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ops.gate.model import GateError, Json, Resource, Stack

Assembly = dict[tuple[str, str], Stack]

ASSET_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
ASSET_PLACEHOLDER = "<asset>"
# The environment of a stack that belongs to no stage.
NO_STAGE = "-"


def load_assembly(directory: Path) -> Assembly:
    """Every stack in a `cdk.out` directory, by (environment, stack). Raises GateError."""
    stacks = {stack.key: stack for stack in _stacks(directory, environment=NO_STAGE)}
    if not stacks:
        raise GateError(f"{directory}: the assembly holds no stack; was it synthesized?")
    return stacks


def without_asset_hashes(value: Any) -> Any:
    """The same JSON with every asset hash replaced by one placeholder."""
    if isinstance(value, str):
        return ASSET_HASH.sub(ASSET_PLACEHOLDER, value)
    if isinstance(value, list):
        return [without_asset_hashes(item) for item in value]
    if isinstance(value, dict):
        return {key: without_asset_hashes(item) for key, item in value.items()}
    return value


def _stacks(directory: Path, environment: str) -> Iterator[Stack]:
    for artifact_id, artifact in _read(directory / "manifest.json").get("artifacts", {}).items():
        properties = artifact.get("properties", {})
        if artifact.get("type") == "cdk:cloud-assembly":
            stage = properties.get("displayName") or properties["directoryName"].removeprefix("assembly-")
            yield from _stacks(directory / properties["directoryName"], environment=stage)
        elif artifact.get("type") == "aws:cloudformation:stack":
            path = artifact.get("displayName") or artifact_id
            yield _stack(
                template=_read(directory / properties["templateFile"]),
                environment=environment,
                name=path.removeprefix(f"{environment}/"),
                target=artifact.get("environment", ""),
                protected=bool(properties.get("terminationProtection", False)),
            )


def _stack(template: Json, environment: str, name: str, target: str, protected: bool) -> Stack:
    template = without_asset_hashes(template)
    resources = {
        logical_id: Resource(
            logical_id=logical_id,
            type=body["Type"],
            properties=body.get("Properties", {}),
            deletion_policy=body.get("DeletionPolicy"),
            update_replace_policy=body.get("UpdateReplacePolicy"),
            condition=body.get("Condition"),
        )
        for logical_id, body in template.get("Resources", {}).items()
        if body["Type"] != "AWS::CDK::Metadata"
    }
    return Stack(environment, name, target, protected, resources, template)


def _read(path: Path) -> Json:
    try:
        document: Json = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise GateError(f"{path} does not exist: not a synthesized cloud assembly") from error
    except ValueError as error:
        raise GateError(f"{path} is not JSON: {error}") from error
    return document
