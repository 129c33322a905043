"""dev, staging and prod, as values. A new environment is one more entry here (docs/environments.md)."""

from stacks.values import Alarms, Environment, ExportApi, Load, Network, Producers, Service, Storage

_RUNBOOK = "https://github.com/example/export-processing/blob/main/docs/runbook.md"

DEV = Environment(
    name="dev",
    account="123456789012",
    region="eu-west-1",
    availability_zones=("eu-west-1a", "eu-west-1b"),
    runbook_url=_RUNBOOK,
    log_retention_days=14,
    network=Network(cidr="10.40.0.0/18", egress="public-ip"),
    storage=Storage(protected=False),
    load=Load(
        export_jobs_per_day=1_000,
        archives_per_export_job=1,
        mean_archive_minutes=30,
        p95_archive_minutes=90,
        longest_archive_hours=4,
        peak_factor=5,
        peak_hours=2,
        longest_outage_hours=72,
        completion_p95_minutes=120,
    ),
    export_api=ExportApi(base_url="https://export-api.dev.example.com"),
    orchestrator=Service(
        cpu=512,
        task_memory_mib=1024,
        container_memory_mib=512,
        slots=8,
        min_tasks=2,
        max_tasks=4,
        backlog_per_task=16,
    ),
    worker=Service(
        cpu=2048,
        task_memory_mib=4096,
        container_memory_mib=3840,
        # A ceiling: how much a worker takes at a time follows from its head-room. Aiming below it leaves room
        # for what comes while the fleet grows.
        slots=512,
        min_tasks=1,
        max_tasks=4,
        backlog_per_task=384,
        spot_weight=4,
        ephemeral_storage_gib=50,
    ),
    alarms=Alarms(oldest_message_hours=12, queue_wait_hours=12),
)

# Prod's rehearsal at a tenth of its load. Egress goes through NAT here so that the mode stays in working
# order for the day the vendor asks for fixed source addresses; at this volume the charge is small.
STAGING = Environment(
    name="staging",
    architecture="arm64",  # prod's, so that its image is built and run here first
    account="111122223333",
    region="eu-west-1",
    availability_zones=("eu-west-1a", "eu-west-1b"),
    runbook_url=_RUNBOOK,
    network=Network(
        cidr="10.41.0.0/18",
        egress="nat",
        nat_gateways=1,
        interface_endpoints=("ecr.api", "ecr.dkr", "logs", "secretsmanager", "sqs"),
    ),
    storage=Storage(protected=True, customer_managed_key=True, existing_metadata_table="export-metadata"),
    load=DEV.load.derive(export_jobs_per_day=10_000, longest_archive_hours=8),
    producers=Producers(sns_topics=("arn:aws:sns:eu-west-1:555566667777:export-events",)),
    export_api=ExportApi(base_url="https://export-api.staging.example.com"),
    orchestrator=DEV.orchestrator,
    worker=DEV.worker.derive(min_tasks=2, max_tasks=10, on_demand_base=1),
    alarms=Alarms(email="export-processing-staging@example.com", oldest_message_hours=6, queue_wait_hours=6),
)

# The record's load: 100,000 exports a day, five times the average at the peak, 30 minutes each in the mean:
# 10,400 downloads at once, on 28 workers. The other tasks up to the most are for heavier archives (CPU) and
# for what an outage leaves behind. Public addresses, because at 50 TB a day NAT would cost more than all the
# compute; no inbound rule leads to them. ARM64 costs a fifth less.
PROD = Environment(
    name="prod",
    account="444455556666",
    region="eu-west-1",
    availability_zones=("eu-west-1a", "eu-west-1b", "eu-west-1c"),
    runbook_url=_RUNBOOK,
    production=True,
    architecture="arm64",
    # python:3.13-slim of September 2026. Refresh it with every release of Python or Debian that matters:
    # docker buildx imagetools inspect public.ecr.aws/docker/library/python:3.13-slim
    base_image="public.ecr.aws/docker/library/python@sha256:"
    "7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b",
    log_retention_days=90,
    ledger_retention_days=90,
    # The credentials and the messages stay off the public addresses: 50 dollars a month, for privacy only.
    network=Network(cidr="10.42.0.0/18", egress="public-ip", interface_endpoints=("secretsmanager", "sqs")),
    storage=Storage(
        protected=True,
        customer_managed_key=True,
        existing_metadata_table="export-metadata",
        infrequent_access_after_days=90,
    ),
    load=DEV.load.derive(export_jobs_per_day=100_000, longest_archive_hours=8),
    producers=Producers(sns_topics=("arn:aws:sns:eu-west-1:777788889999:export-events",)),
    export_api=ExportApi(base_url="https://export-api.example.com"),
    orchestrator=DEV.orchestrator.derive(min_tasks=3, max_tasks=20),
    worker=DEV.worker.derive(min_tasks=4, max_tasks=100, on_demand_base=4, ephemeral_storage_gib=100),
    alarms=Alarms(email="export-processing@example.com", oldest_message_hours=4, queue_wait_hours=4),
)

ENVIRONMENTS = (DEV, STAGING, PROD)
