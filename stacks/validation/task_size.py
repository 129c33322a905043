"""A task is a size that Fargate sells, and what runs in it fits."""

from collections.abc import Iterator

from stacks.validation.deployment import Deployment, Finding, ServiceView

# CPU units → MiB: least, most, step (developer guide, "Task size").
_SIZES = {
    "256": (512, 1024, 2048),
    "512": tuple(range(1024, 4097, 1024)),
    "1024": tuple(range(2048, 8193, 1024)),
    "2048": tuple(range(4096, 16385, 1024)),
    "4096": tuple(range(8192, 30721, 1024)),
}
_MIB = 1 << 20
_GIB = 1 << 30
# The interpreter, its libraries and what TLS keeps beside the buffers of the byte budget.
_MEMORY_RESERVE_MIB = 256
_DEFAULT_DISK_GIB = 20
# The image lies on the same disk as the scratch volume.
_DISK_RESERVE_GIB = 5


def check(deployment: Deployment) -> Iterator[Finding]:
    for service in deployment.services():
        yield from _pair(service)
        yield from _containers(service)
        yield from _budgets(service)


def _pair(service: ServiceView) -> Iterator[Finding]:
    cpu, memory = str(service.task.properties["Cpu"]), int(service.task.properties["Memory"])
    if memory not in _SIZES.get(cpu, ()):
        offered = ", ".join(str(size) for size in _SIZES.get(cpu, ())) or "nothing"
        yield Finding(
            f"The {service.name}'s task has {cpu} CPU units and {memory} MiB, which Fargate does not offer. "
            f"With {cpu} it offers {offered} MiB.",
            service.task,
            "Memory",
        )


def _containers(service: ServiceView) -> Iterator[Finding]:
    limits = [container.get("Memory", 0) for container in service.task.properties["ContainerDefinitions"]]
    if sum(limits) > int(service.task.properties["Memory"]):
        yield Finding(
            f"The {service.name}'s containers may use {sum(limits)} MiB of a task of "
            f"{service.task.properties['Memory']}. Lower container_memory_mib or take a larger task.",
            service.task,
            "ContainerDefinitions",
        )
    if not service.container.get("Memory"):
        yield Finding(
            f"The {service.name}'s container has no memory limit of its own, so it would be stopped only "
            "with the whole task. Set container_memory_mib.",
            service.task,
            "ContainerDefinitions",
        )


def _budgets(service: ServiceView) -> Iterator[Finding]:
    budget, limit = service.number("MEMORY_BUDGET_BYTES"), service.container.get("Memory", 0)
    if budget is not None and budget > (limit - _MEMORY_RESERVE_MIB) * _MIB:
        yield Finding(
            f"The {service.name} may buffer {budget / _MIB:,.0f} MiB in a container of {limit}, which "
            f"leaves less than {_MEMORY_RESERVE_MIB} for the process itself. Lower MEMORY_BUDGET_BYTES.",
            service.task,
            "ContainerDefinitions",
        )
    scratch = service.number("SCRATCH_BUDGET_BYTES")
    disk = service.task.properties.get("EphemeralStorage", {}).get("SizeInGiB", _DEFAULT_DISK_GIB)
    if scratch is not None and scratch > (disk - _DISK_RESERVE_GIB) * _GIB:
        yield Finding(
            f"The {service.name} may spool {scratch / _GIB:,.0f} GiB on a disk of {disk}, of which the "
            f"image needs {_DISK_RESERVE_GIB}. Lower SCRATCH_BUDGET_BYTES or raise ephemeral_storage_gib.",
            service.task,
            "EphemeralStorage",
        )
    directory = service.variables.get("SCRATCH_DIR")
    writable = {
        mount["ContainerPath"]
        for mount in service.container.get("MountPoints", ())
        if not mount.get("ReadOnly", False)
    }
    if directory and service.container.get("ReadonlyRootFilesystem") and directory not in writable:
        yield Finding(
            f"The {service.name} spools to {directory}, but its root file system is read-only and no "
            "writable volume is mounted there. Mount one, or drop SCRATCH_DIR.",
            service.task,
            "ContainerDefinitions",
        )
