"""Which property changes make CloudFormation replace a resource: the registry's own schemas, offline.

cfn-lint ships the schemas of every resource type; their `createOnlyProperties` are what CloudFormation
itself decides by. They are read for us-east-1: a property is create-only in every region or in none.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

_REGION = "us-east-1"


@dataclass(frozen=True)
class Replacing:
    """Pointers (as tuples of keys, `*` for any list item) to properties that replace, or may replace."""

    always: tuple[tuple[str, ...], ...]
    sometimes: tuple[tuple[str, ...], ...]
    known: bool = True


@cache
def replacing_properties(resource_type: str) -> Replacing:
    """The pointers for a type. A custom resource is replaced when its provider is; unknown types say so."""
    if resource_type.startswith("Custom::") or resource_type == "AWS::CloudFormation::CustomResource":
        return Replacing(always=(("ServiceToken",),), sometimes=())
    try:
        schema: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(_REGION, resource_type).schema
    except ResourceNotFoundError:
        return Replacing((), (), known=False)
    return Replacing(
        always=_pointers(schema.get("createOnlyProperties")),
        sometimes=_pointers(schema.get("conditionalCreateOnlyProperties")),
    )


def _pointers(listed: list[str] | None) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(pointer.removeprefix("/properties/").split("/")) for pointer in listed or ())
