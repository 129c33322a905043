"""Which of GitHub's runners builds an environment's image: one of the image's own architecture.

An image for arm64 does not build on x86 without emulation ("exec format error").
"""

from ops.assembly.load import Assembly
from ops.assembly.model import AssemblyError
from ops.assembly.tokens import text_of

_RUNNERS = {"ARM64": "ubuntu-24.04-arm", "X86_64": "ubuntu-24.04"}


def runners(assembly: Assembly) -> dict[str, str]:
    """Environment → runner. Raises AssemblyError when its tasks are of two architectures, or of none."""
    found: dict[str, set[str]] = {environment: set() for environment, _ in assembly}
    for (environment, _), stack in assembly.items():
        for task in stack.of_type("AWS::ECS::TaskDefinition"):
            platform = task.properties.get("RuntimePlatform", {})
            found[environment].add(text_of(platform.get("CpuArchitecture", "X86_64")))
    for environment, architectures in found.items():
        if len(architectures) != 1 or not architectures <= _RUNNERS.keys():
            raise AssemblyError(f"{environment}: no runner builds for {sorted(architectures) or 'no task'}")
    return {
        environment: _RUNNERS[architectures.pop()] for environment, architectures in sorted(found.items())
    }
