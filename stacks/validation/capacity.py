"""Production does not depend on Spot alone, and capacity providers are ones that exist."""

from collections.abc import Iterator

from stacks.validation.deployment import Deployment, Finding

_PROVIDERS = {"FARGATE", "FARGATE_SPOT"}


def check(deployment: Deployment) -> Iterator[Finding]:
    for service in deployment.services():
        strategy = service.service.properties.get("CapacityProviderStrategy", ())
        for item in strategy:
            if item["CapacityProvider"] not in _PROVIDERS:
                yield Finding(
                    f"The {service.name} asks for the capacity provider {item['CapacityProvider']!r}, "
                    f"which does not exist. Choose from {', '.join(sorted(_PROVIDERS))}.",
                    service.service,
                    "CapacityProviderStrategy",
                )
        spot = any(item["CapacityProvider"] == "FARGATE_SPOT" for item in strategy)
        base = max((i.get("Base", 0) for i in strategy if i["CapacityProvider"] == "FARGATE"), default=0)
        if deployment.environment.production and spot and base < 1:
            yield Finding(
                f"In {deployment.environment.name} every task of the {service.name} may be Spot, and ECS "
                "does not fall back to on-demand when Spot runs out. Set on_demand_base to 1 or more.",
                service.service,
                "CapacityProviderStrategy",
            )
