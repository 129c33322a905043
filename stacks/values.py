"""The shape of an environment: every choice that may differ between dev, staging and prod, typed and checked.

A value that can be judged by itself is judged here, when the module of environments is imported. What has to
hold between resources is judged on the synthesized templates (`stacks.validation`).
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SYSTEM = "export-processing"

Hours = Annotated[float, Field(gt=0)]
Seconds = Annotated[int, Field(ge=1)]
Cidr = Annotated[str, Field(pattern=r"^10\.\d{1,3}\.\d{1,3}\.0/(16|17|18)$")]
Arn = Annotated[str, Field(pattern=r"^arn:aws[\w-]*:[\w-]+:[\w-]*:\d{12}:.+$")]
InterfaceEndpoint = Literal[
    "ecr.api", "ecr.dkr", "ecs", "events", "logs", "monitoring", "secretsmanager", "sqs"
]


class Values(BaseModel):
    """Base of every group of values: immutable, and a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ExistingVpc(Values):
    """A network that somebody else owns, by attribute, so that synth looks nothing up.

    `subnet_ids` are the tasks' subnets, one per zone of the environment and in the same order. Endpoints,
    flow logs and egress are its owner's.
    """

    vpc_id: Annotated[str, Field(pattern=r"^vpc-[0-9a-f]+$")]
    subnet_ids: Annotated[tuple[str, ...], Field(min_length=2, max_length=3)]
    route_table_ids: Annotated[tuple[str, ...], Field(min_length=2, max_length=3)]


class Network(Values):
    """Where the tasks run and how they reach the Export API.

    egress: `public-ip` gives each task an address and no inbound rule; incoming bytes cost nothing.
        `nat` keeps tasks in private subnets behind `nat_gateways` fixed addresses; each gigabyte is charged.
    cidr: a range of the environment's own, so that the networks could be peered one day.
    """

    cidr: Cidr | None = None
    egress: Literal["nat", "public-ip"]
    nat_gateways: Annotated[int, Field(ge=0, le=3)] = 0
    interface_endpoints: tuple[InterfaceEndpoint, ...] = ()
    existing_vpc: ExistingVpc | None = None

    @model_validator(mode="after")
    def _gateways_match_egress(self) -> Self:
        if self.existing_vpc is not None:
            if self.nat_gateways or self.interface_endpoints or self.cidr:
                raise ValueError(
                    "an existing VPC's range, NAT gateways and endpoints are its owner's: leave them out"
                )
        elif self.cidr is None:
            raise ValueError("a network of our own needs a cidr that no other environment has")
        elif (self.egress == "nat") != (self.nat_gateways > 0):
            raise ValueError("egress 'nat' needs nat_gateways >= 1, and 'public-ip' needs none")
        return self


class Storage(Values):
    """The data and how hard it is to lose.

    protected: stateful stacks refuse deletion, their resources are retained, tables have deletion protection.
    customer_managed_key: encrypt with a key of ours (a dollar a month and a request charge that bucket keys
        keep small) instead of AWS's; `existing_key_arn` takes one that already exists.
    existing_metadata_table: the table that the metadata's owners keep, by name, in the same account and
        region; without it, one is created. `existing_metadata_key_arn` is their key for it, if they have one.
    """

    protected: bool
    customer_managed_key: bool = False
    existing_key_arn: Arn | None = None
    existing_metadata_table: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")] | None = None
    existing_metadata_key_arn: Arn | None = None
    infrequent_access_after_days: Annotated[int, Field(ge=30)] | None = None
    noncurrent_versions_days: Annotated[int, Field(ge=1)] = 30
    # Longer than the longest resume of an upload, which is the longest wait of its message (14 days).
    aborted_uploads_days: Annotated[int, Field(ge=1)] = 15

    @model_validator(mode="after")
    def _their_key_is_for_their_table(self) -> Self:
        if self.existing_metadata_key_arn is not None and self.existing_metadata_table is None:
            raise ValueError(
                "existing_metadata_key_arn is the key of existing_metadata_table: name the table too"
            )
        return self


class Load(Values):
    """What the environment is built for; the sizes are checked against it."""

    export_jobs_per_day: Annotated[int, Field(ge=1)]
    archives_per_export_job: Annotated[float, Field(ge=1)]
    mean_archive_minutes: Annotated[float, Field(gt=0)]
    longest_archive_hours: Hours
    longest_outage_hours: Hours


class Messaging(Values):
    """How long a message is somebody's, and how often it is tried."""

    visibility_timeout_s: Annotated[int, Field(ge=30, le=43_200)] = 300
    heartbeat_interval_s: Seconds = 60
    handover_after_s: Annotated[int, Field(ge=60)] = 39_600
    max_receive_count: Annotated[int, Field(ge=1, le=1_000)] = 5


class ExportApi(Values):
    """The vendor's API: where it is and how we prove who we are. The credentials are in Secrets Manager."""

    base_url: Annotated[str, Field(pattern=r"^https://[^/\s]+$")]
    auth: Literal["bearer", "api-key", "oauth2"] = "bearer"
    download_hosts: tuple[str, ...] = ()

    def download_buckets(self, region: str) -> list[str]:
        """The vendor's buckets among `download_hosts`, which tasks reach through our S3 endpoint."""
        suffixes = (f".s3.{region}.amazonaws.com", ".s3.amazonaws.com")
        return [
            host.removesuffix(suffix)
            for host in self.download_hosts
            for suffix in suffixes
            if host.endswith(suffix)
        ]


class Service(Values):
    """One Fargate service: the size of a task, how many there may be, and what they run on.

    backlog_per_task: messages (waiting and in flight) that one task should have; scaling aims at it.
    spot_weight: share of the tasks above `on_demand_base` that run on Spot, against `on_demand_weight`.
    """

    cpu: Literal[256, 512, 1024, 2048, 4096]
    task_memory_mib: int
    container_memory_mib: int
    slots: Annotated[int, Field(ge=1)]
    min_tasks: Annotated[int, Field(ge=0)]
    max_tasks: Annotated[int, Field(ge=1)]
    backlog_per_task: Annotated[int, Field(ge=1)]
    cpu_target_percent: Annotated[int, Field(ge=10, le=90)] = 70
    on_demand_base: Annotated[int, Field(ge=0)] = 0
    on_demand_weight: Annotated[int, Field(ge=0)] = 1
    spot_weight: Annotated[int, Field(ge=0)] = 0
    ephemeral_storage_gib: Annotated[int, Field(ge=21, le=200)] | None = None

    @model_validator(mode="after")
    def _counts_agree(self) -> Self:
        if self.max_tasks < self.min_tasks:
            raise ValueError(f"max_tasks {self.max_tasks} is below min_tasks {self.min_tasks}")
        if self.container_memory_mib > self.task_memory_mib:
            raise ValueError("container_memory_mib is more than the task has")
        if self.on_demand_weight == 0 and self.spot_weight == 0:
            raise ValueError("with both weights 0 no task above the base could be placed")
        return self


class Alarms(Values):
    """Who is told, and what is worth telling."""

    email: str | None = None
    oldest_message_hours: Hours
    queue_wait_hours: Hours


class Environment(Values):
    """One deployment of the whole system into one account and region.

    base_image: the image's base by digest, so that a commit builds the same image on any day; None builds on
        the newest of the Dockerfile's tag.
    telemetry_image: the AWS Distro for OpenTelemetry's collector, with its version; None runs no side-car.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{1,11}$")]
    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    availability_zones: Annotated[tuple[str, ...], Field(min_length=2, max_length=3)]
    production: bool = False
    architecture: Literal["arm64", "x86_64"] = "x86_64"
    log_retention_days: Literal[7, 14, 30, 60, 90, 180, 365] = 30
    ledger_retention_days: Annotated[int, Field(ge=15)] = 30
    base_image: Annotated[str, Field(pattern=r"^\S+@sha256:[0-9a-f]{64}$")] | None = None
    telemetry_image: str | None = None
    network: Network
    storage: Storage
    load: Load
    messaging: Messaging = Messaging()
    export_api: ExportApi
    orchestrator: Service
    worker: Service
    alarms: Alarms

    @property
    def cluster_name(self) -> str:
        """The ECS cluster's name, known before it exists so that policies can spell its tasks' ARNs."""
        return f"{SYSTEM}-{self.name}"

    @model_validator(mode="after")
    def _zones_are_the_regions(self) -> Self:
        zones = self.availability_zones
        if len(set(zones)) != len(zones) or any(zone[:-1] != self.region for zone in zones):
            raise ValueError(f"availability_zones {zones} are not distinct zones of {self.region}")
        existing = self.network.existing_vpc
        if existing is not None and len(existing.subnet_ids) != len(zones):
            raise ValueError("an existing VPC needs one subnet per availability zone, in the same order")
        return self
