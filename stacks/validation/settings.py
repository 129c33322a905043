"""The variables of a task definition are the runtime's settings: known names, right types, none missing.

runtime/settings.schema.json says what the runtime reads; it is generated there and read here, so that a
renamed setting fails the synth instead of the deployment.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

from stacks.data_names import settings_schema
from stacks.validation.deployment import Deployment, Finding, ServiceView

_PAIRS = (
    ("STOP_MARGIN_S", "STOP_TIMEOUT_S", "the margin is part of the time to stop"),
    ("POLL_WAIT_S", "LIVENESS_LIMIT_S", "an idle poll would look like a deadlock"),
)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def check(deployment: Deployment) -> Iterator[Finding]:
    services = settings_schema()
    for service in deployment.services():
        schema = services.get(service.name)
        sentences = (
            [f"SERVICE_MODE={service.name} is no service of the runtime; it has {', '.join(services)}."]
            if schema is None
            else [*_names(service, schema), *_values(service, schema), *_together(service, schema)]
        )
        for sentence in sentences:
            yield Finding(sentence, service.task, "ContainerDefinitions")


def _names(service: ServiceView, schema: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name in sorted(service.variables.keys() - schema.keys()):
        yield (
            f"The {service.name} is given {name}, which it does not read. Remove it from the task "
            "definition, or correct its name."
        )
    for name, rule in schema.items():
        if rule["required"] and not service.variables.get(name):
            yield f"The {service.name} needs {name} and is not given it: it would exit with code 2 at start."


def _values(service: ServiceView, schema: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, value in service.variables.items():
        # Empty text means the default to the runtime.
        if name not in schema or value == "":
            continue
        rule = {key: part for key, part in schema[name].items() if key != "required"}
        if isinstance(value, Mapping):
            if rule["type"] != "string":
                yield (
                    f"The {service.name}'s {name} has to be a {rule['type']}, but is known only once "
                    "deployed. Give a literal value."
                )
            continue
        for error in Draft202012Validator(rule).iter_errors(_parse(str(value), rule["type"])):
            yield f"The {service.name} is given {name}={value}: {error.message}. Correct the value."


def _together(service: ServiceView, schema: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What the runtime requires of two variables at once, and would say only when it starts."""
    for smaller, larger, why in _PAIRS:
        low, high = (
            service.number(name) if service.variables.get(name) else schema[name].get("default")
            for name in (smaller, larger)
        )
        if low is not None and high is not None and low >= high:
            yield (
                f"The {service.name} has {smaller}={low:g} and {larger}={high:g}, but {why}. "
                f"Set {smaller} below {larger}."
            )


def _parse(text: str, type_: str) -> object:
    """The text as the type that is wanted; unchanged, and so refused by the schema, when it is none."""
    try:
        match type_:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "boolean":
                return _BOOLEANS.get(text.lower(), text)
    except ValueError:
        pass
    return text
