"""The largest fleet carries the peak: nothing waits longer for a worker than the alarms take for normal."""

from collections.abc import Iterator

from stacks.validation.deployment import Deployment, Finding


def check(deployment: Deployment) -> Iterator[Finding]:
    load, worker = deployment.environment.load, deployment.environment.worker
    stated_h = deployment.environment.alarms.queue_wait_hours
    at_once = worker.max_tasks * worker.slots
    finished = at_once * 60 / load.mean_archive_minutes
    wait_h = max(0.0, load.archives_per_hour * load.peak_factor - finished) * load.peak_hours / finished
    for service in deployment.services():
        if service.name == "worker" and wait_h > stated_h:
            yield Finding(
                f"{worker.max_tasks} workers of {worker.slots} slots hold {at_once:,.0f} archives and the "
                f"peak brings {load.archives_at_once:,.0f} at once: after {load.peak_hours:g} h of it an "
                f"archive waits {wait_h:,.1f} h, and queue_wait_hours says {stated_h:g}. Raise the worker's "
                "max_tasks or slots.",
                service.service,
                "DesiredCount",
            )
