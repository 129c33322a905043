"""The life of a stack, its changes and its end, as CloudFormation documents it.

- A resource is changed when its properties are others once references are resolved: a task definition that
  is replaced changes the service that names it, though the service's own lines are the same.
- New and changed resources come first, in order of dependency; what was replaced or has left the template is
  deleted afterwards, last made first.
- `Retain` and `RetainExceptOnCreate` keep a resource when its stack goes.
- A parameter that was left at its default can be kept at "its previous value".
- An update that fails is rolled back, and a stack that cannot be deleted stays; the events say why.
- An export that another stack imports can neither go nor change.

Sources: "Update behaviors of stack resources", "DeletionPolicy attribute", "Fn::ImportValue" in the AWS
CloudFormation User Guide.
"""

# ruff: noqa: SLF001 -- moto offers no other way in

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend, Stack
from moto.cloudformation.parsing import ResourceMap

from local.cloudformation.model import Api

_KEPT = ("Retain", "RetainExceptOnCreate")


def install() -> None:
    """Replace moto's own ways for this process."""
    ResourceMap.__getitem__ = partial_method(_get, ResourceMap.__getitem__)  # type: ignore[method-assign]
    ResourceMap.update = _update  # type: ignore[method-assign]
    ResourceMap.delete = _delete  # type: ignore[method-assign]
    CloudFormationBackend.delete_stack = _delete_stack  # type: ignore[method-assign]
    Stack.update = partial_method(_update_stack, Stack.update)  # type: ignore[method-assign]
    CloudFormationBackend._resolve_update_parameters = _parameters  # type: ignore[method-assign, assignment]


def partial_method(replacement: Any, original: Any) -> Any:
    """`replacement(original, self, …)` as a method."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return replacement(partial(original, self), self, *args, **kwargs)

    return method


def resolved_of(resources: ResourceMap) -> dict[str, Any]:
    """Each resource's properties as they were made, by logical id."""
    found: dict[str, Any] = resources.__dict__.setdefault("_resolved", {})
    return found


def _get(original: Any, self: ResourceMap, key: str) -> Any:
    known = key in self._parsed_resources
    resource = original(key)
    if not known and resource is not None and key in self._resource_json_map:
        resolved_of(self)[key] = _resolve(self, key)
    return resource


def _resolve(self: ResourceMap, key: str) -> Any:
    properties = self._resource_json_map[key].get("Properties", {})
    return json.loads(json.dumps(parsing.clean_json(properties, self), default=_physical_id))


def _physical_id(resource: Any) -> str:
    return str(getattr(resource, "physical_resource_id", resource))


def _update(self: ResourceMap, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    before, resolved = dict(self._resource_json_map), resolved_of(self)
    self._template = template
    if parameters:
        self.input_parameters = parameters
    self.load_mapping()
    self.load_parameters()
    self.load_conditions()
    self._resource_json_map = template["Resources"]
    replaced: list[tuple[Any, dict[str, Any]]] = []
    for key in in_order(template["Resources"]):
        there = self._parsed_resources.get(key)
        if there is None:
            _ = self[key]  # makes it
            continue
        now = _resolve(self, key)
        if now == resolved.get(key) and before[key].get("Type") == self._resource_json_map[key]["Type"]:
            continue
        old_id = _physical_id(there)
        changed = _change(self, key)
        if _physical_id(changed) != old_id:
            replaced.append((there, {**before[key], "Properties": resolved.get(key, {})}))
        self._parsed_resources[key], resolved[key] = changed, now
    gone = [key for key in reversed(in_order(before)) if key not in template["Resources"]]
    for resource, definition in replaced:
        if definition.get("UpdateReplacePolicy") not in _KEPT:
            self._delete_resource(resource, definition)
    for key in gone:
        resource = self._parsed_resources.pop(key, None)
        properties = resolved.pop(key, {})
        if resource is not None and before[key].get("DeletionPolicy") not in _KEPT:
            self._delete_resource(resource, {**before[key], "Properties": properties})


def _change(self: ResourceMap, key: str) -> Any:
    definition = self._resource_json_map[key]
    kind = parsing.resource_class_from_type(definition["Type"])
    if hasattr(kind.update_from_cloudformation_json, "__isabstractmethod__"):
        Api.say(f"{key}: a change of its {definition['Type']}, which moto cannot make")
        return self._parsed_resources[key]
    changed = parsing.parse_and_update_resource(key, definition, self, self._account_id, self._region_name)
    return self._parsed_resources[key] if changed is None else changed


def _delete(self: ResourceMap) -> None:
    for key in reversed(in_order(self._resource_json_map)):
        definition = self._resource_json_map[key]
        resource = self._parsed_resources.get(key)
        if resource is None or isinstance(resource, str) or definition.get("DeletionPolicy") in _KEPT:
            continue
        self._delete_resource(resource, {**definition, "Properties": resolved_of(self).get(key, {})})
        self._parsed_resources.pop(key)


def in_order(resources: dict[str, Any]) -> list[str]:
    """Logical ids, each after those it refers to or depends on."""
    ordered: list[str] = []
    visiting: set[str] = set()

    def visit(key: str) -> None:
        if key in ordered or key in visiting:
            return
        visiting.add(key)
        for needed in _needs(resources[key]):
            if needed in resources:
                visit(needed)
        ordered.append(key)

    for key in resources:
        visit(key)
    return ordered


def _needs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item
            elif key == "Fn::GetAtt":
                yield item[0] if isinstance(item, list) else item.partition(".")[0]
            elif key == "DependsOn":
                yield from [item] if isinstance(item, str) else item
            elif key == "Fn::Sub":
                text = item if isinstance(item, str) else item[0]
                yield from (name.partition(".")[0].partition("}")[0] for name in text.split("${")[1:])
            else:
                yield from _needs(item)
    elif isinstance(value, list):
        for item in value:
            yield from _needs(item)


# --- parameters and exports ----------------------------------------------------------------------


def _parameters(
    _self: CloudFormationBackend, instance: Any, incoming_params: list[dict[str, Any]]
) -> dict[str, str]:
    defaults = {
        name: parameter.get("Default")
        for name, parameter in instance.template_dict.get("Parameters", {}).items()
    }
    values = {}
    for parameter in incoming_params:
        name = parameter["ParameterKey"]
        if parameter.get("UsePreviousValue"):
            values[name] = instance.parameters.get(name, defaults.get(name))
        elif "ParameterValue" in parameter:
            values[name] = parameter["ParameterValue"]
    return values


def _update_stack(original: Any, self: Stack, *args: Any, **kwargs: Any) -> None:
    if self.status.startswith("DELETE"):
        raise ValidationError(message=f"Stack [{self.name}] does not exist")
    exports = {export.name: export.value for export in self.exports}
    template = args[0] if args else kwargs["template"]
    if _same(template, self.template) and not _other_parameters(self, kwargs.get("parameters")):
        raise ValidationError(message="No updates are to be performed.")
    _refuse_removal_of_used_exports(self, exports, template)
    before = self.template
    try:
        original(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 -- whatever a resource answers, the stack rolls back
        _roll_back(self, before, str(error))
        return
    for name in exports:
        self.cross_stack_resources.pop(name, None)
    for export in self.exports:
        self.cross_stack_resources[export.name] = export


def _roll_back(self: Stack, before: Any, reason: str) -> None:
    """Make the resources again what the last good template says; the stack's events say why."""
    self._add_stack_event("UPDATE_ROLLBACK_IN_PROGRESS", resource_status_reason=reason)
    self.template = before
    self._parse_template()
    try:
        self.resource_map.update(self.template_dict, None)
    except Exception as error:  # noqa: BLE001 -- as above
        self.status = "UPDATE_ROLLBACK_FAILED"
        self._add_stack_event(self.status, resource_status_reason=str(error))
    else:
        self.status = "UPDATE_ROLLBACK_COMPLETE"
        self._add_stack_event(self.status)


def _delete_stack(self: CloudFormationBackend, name_or_stack_id: str) -> None:
    """A stack that cannot go stays, DELETE_FAILED, and its events say why; one that is gone is no error."""
    for stack in list(self.stacks.values()):
        if name_or_stack_id not in (stack.name, stack.stack_id):
            continue
        for export in stack.exports:
            users = [other.name for other in _stacks_of(stack) if export.name in importing(other)]
            if users:
                raise _in_use(export.name, users)
        names = [export.name for export in stack.exports]
        try:
            stack.delete()
        except Exception as error:  # noqa: BLE001 -- whatever a resource answers, the stack stays
            stack.status = "DELETE_FAILED"
            stack._add_stack_event(stack.status, resource_status_reason=str(error))
            continue
        self.stacks.pop(stack.stack_id)
        self.deleted_stacks[stack.stack_id] = stack
        for name in names:
            self.exports.pop(name, None)


def _in_use(export: str, users: list[str]) -> ValidationError:
    return ValidationError(
        message=f"Export {export} cannot be deleted as it is in use by {' and '.join(users)}"
    )


def _same(one: str, other: Any) -> bool:
    try:
        same: bool = json.loads(one) == json.loads(other)
    except ValueError:
        return str(one) == str(other)
    return same


def _other_parameters(self: Stack, parameters: dict[str, Any] | None) -> bool:
    return any(
        value != self.parameters.get(name, self.resource_map.resolved_parameters.get(name))
        for name, value in (parameters or {}).items()
    )


def _refuse_removal_of_used_exports(self: Stack, exports: dict[str, str], template: str) -> None:
    stays = {
        output["Export"]["Name"]
        for output in json.loads(template).get("Outputs", {}).values()
        if isinstance(output.get("Export", {}).get("Name"), str)
    }
    for name in exports:
        users = [stack.name for stack in _stacks_of(self) if name in importing(stack)]
        if users and name not in stays:
            raise _in_use(name, users)


def importing(stack: Stack) -> set[str]:
    """The names of the exports that a stack imports."""
    return set(_imports(stack.template_dict))


def _imports(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "Fn::ImportValue" and isinstance(item, str):
                yield item
            else:
                yield from _imports(item)
    elif isinstance(value, list):
        for item in value:
            yield from _imports(item)


def _stacks_of(stack: Stack) -> list[Stack]:
    from moto.cloudformation.models import cloudformation_backends

    backend = cloudformation_backends[stack.account_id][stack.region_name]
    return [other for other in backend.stacks.values() if other is not stack]
