"""`python -m runtime.worker` takes download tasks and brings the archives' files into S3."""

import os
from functools import partial

from runtime.shared.circuits import SERVICE, Keeper
from runtime.shared.ecs_service import METADATA_URI_VARIABLE, watch_of
from runtime.shared.leaving import Leaving
from runtime.shared.lifecycle import exit_now, serve
from runtime.shared.rate import HostPermits
from runtime.shared.settings import load
from runtime.shared.wiring import consumer_for, wire_service
from runtime.worker.clients import Clients
from runtime.worker.count.counter import JobCounter
from runtime.worker.count.expected import ExpectedFiles
from runtime.worker.handler import DownloadHandler
from runtime.worker.manifest.join import Joiner
from runtime.worker.manifest.publish import Publisher
from runtime.worker.metrics import HostMetrics, WorkerMetrics
from runtime.worker.parts import TaskParts
from runtime.worker.retirement import Retirement
from runtime.worker.settings import WorkerSettings
from runtime.worker.wiring import head_room, metadata_attributes, wire_processor


def main() -> None:
    """Runs until SIGTERM; exits 0 then, 2 when the configuration is not usable."""
    settings = load(WorkerSettings)
    parts = wire_service(settings)
    clients = Clients.create(settings.bucket_name, parts.aws.session)
    per_host = settings.download_connections_per_host
    permits = HostPermits(parts.table, "downloads", limit=per_host, owner=parts.owner) if per_host else None
    processor = wire_processor(
        settings, clients, parts.api, parts.circuits, permits, protect=parts.protection.hold
    )
    metrics = WorkerMetrics(parts.metrics)
    parts.metrics.ask(HostMetrics(parts.metrics, processor.hosts.totals))
    handler = DownloadHandler(
        processor=processor,
        ledger=parts.ledger,
        messages=parts.messages,
        reporter=parts.reporter,
        parts=TaskParts(
            ledger=parts.ledger,
            reporter=parts.reporter,
            joiner=Joiner(clients.s3, settings.bucket_name, settings.manifest_prefix),
            sqs=parts.aws.sqs,
            queues=settings.download_tasks_queues,
            owner=parts.owner,
            lease_s=settings.visibility_timeout_s,
        ),
        counter=JobCounter(
            ledger=parts.ledger,
            reporter=parts.reporter,
            metrics=metrics,
            expected=ExpectedFiles(parts.aws.dynamodb, metadata_attributes(settings)),
            publisher=Publisher(clients.s3, settings.bucket_name),
            manifest_prefix=settings.manifest_prefix,
            scratch=settings.scratch_dir,
            metadata_wait_s=settings.metadata_wait_s,
            owner=parts.owner,
            lease_s=settings.visibility_timeout_s,
        ),
        owner=parts.owner,
        lease_s=settings.visibility_timeout_s,
        metadata_wait_s=settings.metadata_wait_s,
        metrics=metrics,
    )
    retirement = Retirement(
        leaving=Leaving(parts.owner),
        protection=parts.protection,
        head_room=head_room(settings, processor),
    )
    consumer = consumer_for(
        parts,
        settings.sources,
        handler,
        on_retry=handler.on_retry,
        on_parked=handler.on_parked,
        admission=retirement,
    )
    retirement.let_go = consumer.let_go
    parts.protection.on_answer = retirement.answered
    watch = watch_of(
        os.environ.get(METADATA_URI_VARIABLE),
        parts.aws.session,
        retirement.seen,
        wanted=lambda: parts.protection.held,
    )
    if watch is not None:
        watch.start()
    needs = partial(processor.hosts.need, with_credentials=parts.api.takes_credentials)
    paused = f"{SERVICE}:{settings.service_mode}"
    Keeper(parts.circuits, consumer, lambda away: paused in away or needs(away)).start()
    exit_now(
        serve(
            settings,
            consumer=consumer,
            metrics=parts.metrics,
            protection=parts.protection,
            stop=parts.stop,
            close=processor.close,
        )
    )


if __name__ == "__main__":
    main()
