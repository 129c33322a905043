"""The variables of a task definition are the runtime's settings: known names, right types, none missing.

`stacks.runtime_settings` says what the runtime reads and would refuse.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from stacks.runtime_settings import faults, settings_schema
from stacks.validation.deployment import Deployment, Finding, ServiceView

_PAIRS = (
    ("STOP_MARGIN_S", "STOP_TIMEOUT_S", "the margin is part of the time to stop"),
    ("POLL_WAIT_S", "LIVENESS_LIMIT_S", "an idle poll would look like a deadlock"),
)


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
        rule = schema[name]
        if isinstance(value, Mapping):
            if rule["type"] != "string":
                yield (
                    f"The {service.name}'s {name} has to be a {rule['type']}, but is known only once "
                    "deployed. Give a literal value."
                )
            continue
        for fault in faults(rule, str(value)):
            yield f"The {service.name} is given {name}={value}: {fault}. Correct the value."


def _together(service: ServiceView, schema: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The runtime's rules over two variables at once, which it would apply only when it starts."""
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
