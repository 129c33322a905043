"""Nothing expires while it still waits: queues, the ledger and unfinished uploads outlast any backlog."""

from collections.abc import Iterator

from stacks.validation.deployment import Deployment, Finding, ServiceView

_DAY_S = 86_400


def check(deployment: Deployment) -> Iterator[Finding]:
    for service in deployment.services():
        yield from _backlog(deployment, service)
        retention = service.queue.properties["MessageRetentionPeriod"]
        longest_s = deployment.environment.load.longest_outage_hours * 3600
        if retention <= longest_s:
            yield Finding(
                f"The {service.name}'s queue keeps a message for {retention / 3600:g} h, and nobody polls it "
                f"during an outage of up to {longest_s / 3600:g} h: it would expire unseen. Give the queue "
                "14 days, or lower longest_outage_hours.",
                service.queue,
                "MessageRetentionPeriod",
            )
        if service.dead_letter_queue.properties["MessageRetentionPeriod"] < retention:
            yield Finding(
                f"The {service.name}'s dead-letter queue keeps messages for less time than its queue, and "
                "a message that SQS moves keeps its first timestamp: it could expire on arrival. Give both "
                "14 days.",
                service.dead_letter_queue,
                "MessageRetentionPeriod",
            )
        ledger_days = service.number("LEDGER_RETENTION_DAYS")
        if ledger_days is not None and ledger_days * _DAY_S <= retention:
            yield Finding(
                f"The ledger forgets after {ledger_days:g} days what a message of the {service.name} may "
                f"still ask about for {retention / _DAY_S:g}. Set ledger_retention_days above that.",
                service.task,
                "ContainerDefinitions",
            )
    yield from _uploads(deployment)


def _backlog(deployment: Deployment, service: ServiceView) -> Iterator[Finding]:
    if service.name != "worker":
        return
    load, values = deployment.environment.load, deployment.environment.worker
    arrivals = load.archives_per_hour
    capacity = values.max_tasks * values.slots * 60 / load.mean_archive_minutes
    if capacity <= arrivals:
        yield Finding(
            f"{values.max_tasks} workers finish {capacity:,.0f} archives an hour and {arrivals:,.0f} come: "
            "the backlog would grow for ever. Raise the worker's max_tasks or slots.",
            service.service,
            "DesiredCount",
        )
        return
    wait_h = load.longest_outage_hours * (1 + arrivals / (capacity - arrivals))
    retention_h = service.queue.properties["MessageRetentionPeriod"] / 3600
    if wait_h > retention_h:
        yield Finding(
            f"After an outage of {load.longest_outage_hours:g} h the last message waits {wait_h:,.0f} h, "
            f"and the queue keeps messages for {retention_h:g} h. Raise the worker's max_tasks so that the "
            "backlog drains sooner.",
            service.queue,
            "MessageRetentionPeriod",
        )


def _uploads(deployment: Deployment) -> Iterator[Finding]:
    longest_s = max(
        (
            queue.properties.get("MessageRetentionPeriod", 0)
            for queue in deployment.of_type("AWS::SQS::Queue")
        ),
        default=0,
    )
    for bucket in deployment.of_type("AWS::S3::Bucket"):
        for rule in bucket.properties.get("LifecycleConfiguration", {}).get("Rules", ()):
            days = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
            if days is not None and days * _DAY_S <= longest_s:
                yield Finding(
                    f"Unfinished uploads are removed after {days} days, but the message that would resume "
                    f"one may wait {longest_s / _DAY_S:g}. Set aborted_uploads_days above that.",
                    bucket,
                    "LifecycleConfiguration",
                )
