"""Read a synthesized cloud assembly: every stack of every stage, asset hashes left out.

Asset hashes change with every edit of the code that is packed; that edit is reviewed as code. Leaving
them out keeps a report about infrastructure. In the resources' properties, an import of another stack's
output reads as the reference behind it (`storage/Bucket`): the same in every environment, and unchanged
when only the export's name is. `Stack.template` stays as synthesized.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from ops.assembly.model import AssemblyError, Json, Resource, Stack

Assembly = dict[tuple[str, str], Stack]

ASSET_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
ASSET_PLACEHOLDER = "<asset>"
# The environment of a stack that belongs to no stage.
NO_STAGE = "-"


def load_assembly(directory: Path) -> Assembly:
    """Every stack in a `cdk.out` directory, by (environment, stack). Raises AssemblyError."""
    stacks = list(_stacks(directory, environment=NO_STAGE))
    if not stacks:
        raise AssemblyError(f"{directory}: the assembly holds no stack; was it synthesized?")
    exports: dict[str, dict[str, Any]] = {}
    for stack in stacks:
        exports.setdefault(stack.environment, {}).update(_exports(stack))
    return {stack.key: _with_imports(stack, exports[stack.environment]) for stack in stacks}


def in_order(assembly: Assembly, environment: str) -> tuple[Stack, ...]:
    """The stacks of one environment, those that others depend on first. Raises AssemblyError."""
    stacks = {stack.artifact: stack for key, stack in sorted(assembly.items()) if key[0] == environment}
    if not stacks:
        known = ", ".join(sorted({key[0] for key in assembly}))
        raise AssemblyError(f"there is no environment {environment!r}; there are: {known}")
    graph = {
        name: [needed for needed in stack.dependencies if needed in stacks] for name, stack in stacks.items()
    }
    return tuple(stacks[name] for name in TopologicalSorter(graph).static_order())


def without_asset_hashes(value: Any) -> Any:
    """The same JSON with every asset hash replaced by one placeholder."""
    if isinstance(value, str):
        return ASSET_HASH.sub(ASSET_PLACEHOLDER, value)
    if isinstance(value, list):
        return [without_asset_hashes(item) for item in value]
    if isinstance(value, dict):
        return {key: without_asset_hashes(item) for key, item in value.items()}
    return value


def _exports(stack: Stack) -> Iterator[tuple[str, Any]]:
    """(export's name, the reference behind it with the stack in front) for each exported reference."""
    for output in stack.template.get("Outputs", {}).values():
        match output:
            case {"Export": {"Name": str(name)}, "Value": {"Ref": str(target)}}:
                yield name, {"Ref": f"{stack.name}/{target}"}
            case {"Export": {"Name": str(name)}, "Value": {"Fn::GetAtt": [str(target), *attribute]}}:
                yield name, {"Fn::GetAtt": [f"{stack.name}/{target}", *attribute]}


def _with_imports(stack: Stack, exports: dict[str, Any]) -> Stack:
    resources = {
        name: replace(resource, properties=_resolved(resource.properties, exports))
        for name, resource in stack.resources.items()
    }
    return replace(stack, resources=resources)


def _resolved(value: Any, exports: dict[str, Any]) -> Any:
    match value:
        case {"Fn::ImportValue": str(name)} if name in exports:
            return exports[name]
        case dict():
            return {key: _resolved(item, exports) for key, item in value.items()}
        case list():
            return [_resolved(item, exports) for item in value]
    return value


def _stacks(directory: Path, environment: str) -> Iterator[Stack]:
    for artifact_id, artifact in _read(directory / "manifest.json").get("artifacts", {}).items():
        properties = artifact.get("properties", {})
        if artifact.get("type") == "cdk:cloud-assembly":
            stage = properties.get("displayName") or properties["directoryName"].removeprefix("assembly-")
            yield from _stacks(directory / properties["directoryName"], environment=stage)
        elif artifact.get("type") == "aws:cloudformation:stack":
            path = artifact.get("displayName") or artifact_id
            template = _read(directory / properties["templateFile"])
            yield Stack(
                environment=environment,
                name=path.removeprefix(f"{environment}/"),
                stack_name=properties.get("stackName", artifact_id),
                artifact=artifact_id,
                dependencies=tuple(artifact.get("dependencies", ())),
                target=artifact.get("environment", ""),
                termination_protection=bool(properties.get("terminationProtection", False)),
                resources=resources_of(template),
                template=template,
                notes=_notes(directory, artifact, path),
            )


def _notes(directory: Path, artifact: Json, path: str) -> Json:
    file = artifact.get("additionalMetadataFile")
    metadata = artifact.get("metadata", {}) | (_read(directory / file) if file else {})
    return {note["type"]: note.get("data") for note in metadata.get(f"/{path}", ())}


def resources_of(template: Json) -> dict[str, Resource]:
    """The resources of a template by logical id, asset hashes left out, imports as they are."""
    template = without_asset_hashes(template)
    return {
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


def _read(path: Path) -> Json:
    try:
        document: Json = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AssemblyError(f"{path} does not exist: not a synthesized cloud assembly") from error
    except ValueError as error:
        raise AssemblyError(f"{path} is not JSON: {error}") from error
    return document
