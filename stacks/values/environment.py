"""One deployment of the whole system, as values."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stacks.values.alarms import Alarms
from stacks.values.base import SYSTEM, Values
from stacks.values.export_api import ExportApi
from stacks.values.load import Load
from stacks.values.messaging import Messaging
from stacks.values.network import Network
from stacks.values.service import Service
from stacks.values.storage import Storage


class Environment(Values):
    """One deployment of the whole system into one account and region.

    base_image: the image's base by digest, so that a commit builds the same image on any day; None builds on
        the newest of the Dockerfile's tag.
    runbook_url: where docs/runbook.md can be read; every alarm links to its section there.
    telemetry_image: the AWS Distro for OpenTelemetry's collector, with its version; None runs no side-car.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{1,11}$")]
    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    availability_zones: Annotated[tuple[str, ...], Field(min_length=2, max_length=3)]
    runbook_url: Annotated[str, Field(pattern=r"^https://[^\s#]+$")]
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
