"""`python -m runtime.orchestrator`: takes export jobs from their queue and sends one task per file."""

from runtime.orchestrator.dispatcher import Dispatcher
from runtime.orchestrator.handler import ExportJobsHandler
from runtime.orchestrator.listing import JobLister
from runtime.orchestrator.settings import OrchestratorSettings
from runtime.shared.circuits import SERVICE, Keeper
from runtime.shared.export_api.auth import SECRET
from runtime.shared.export_api.client import LISTING, STATUS
from runtime.shared.lifecycle import exit_now, serve
from runtime.shared.settings import load
from runtime.shared.wiring import consumer_for, wire_service


def main() -> None:
    """Runs until SIGTERM; exits 0 then, 2 when the configuration is not usable."""
    settings = load(OrchestratorSettings)
    parts = wire_service(settings)
    dispatcher = Dispatcher(parts.aws.sqs, settings.download_tasks_queues, parts.metrics)
    handler = ExportJobsHandler(
        settings,
        owner=parts.owner,
        sqs=parts.aws.sqs,
        api=parts.api,
        ledger=parts.ledger,
        messages=parts.messages,
        reporter=parts.reporter,
        lister=JobLister(
            parts.api,
            parts.ledger,
            dispatcher,
            parts.metrics,
            max_pages=settings.export_api_max_pages,
        ),
    )
    consumer = consumer_for(
        parts, settings.sources, handler, on_retry=handler.on_retry, on_parked=handler.on_parked
    )
    # A job needs all three at once: a message received while one of them is away could only go back.
    needed = frozenset((STATUS, LISTING, SECRET, f"{SERVICE}:{settings.service_mode}"))
    Keeper(parts.circuits, consumer, lambda away: not needed.isdisjoint(away)).start()
    exit_now(
        serve(
            settings, consumer=consumer, metrics=parts.metrics, protection=parts.protection, stop=parts.stop
        )
    )


if __name__ == "__main__":
    main()
