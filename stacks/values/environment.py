"""One deployment of the whole system, as values."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from stacks.values.alarms import Alarms
from stacks.values.base import SYSTEM, Values
from stacks.values.export_api import ExportApi
from stacks.values.load import Load
from stacks.values.messaging import Messaging
from stacks.values.network import Network
from stacks.values.notifications import Notifications
from stacks.values.producers import Producers
from stacks.values.service import Service
from stacks.values.storage import Storage

_TELEMETRY_MIB = 128
_OTHER_PARTITIONS = ("cn-", "us-gov-", "us-iso", "eu-iso", "eusc-")
_VERSION = re.compile(r"\S+(?::[\w.-]+|@sha256:[0-9a-f]{64})")


def _of_this_partition(region: str) -> str:
    if region.startswith(_OTHER_PARTITIONS):
        raise ValueError(
            f"{region} is in another partition: its ARNs, host names and endpoints differ from those in "
            "stacks/ and runtime/"
        )
    return region


def _with_version(image: str) -> str:
    if not _VERSION.fullmatch(image) or image.endswith(":latest"):
        raise ValueError(f"{image!r} names no version: another image would run after each restart")
    return image


class Environment(Values):
    """One deployment of the whole system into one account and region.

    base_image: the image's base by digest, so that a commit builds the same image on any day; None builds on
        the newest of the Dockerfile's tag.
    runbook_url: where docs/runbook.md can be read; every alarm links to its section there.
    telemetry_image: the AWS Distro for OpenTelemetry's collector, with its version; None runs no side-car.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{1,11}$")]
    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z]{2,4}(-[a-z]+)+-\d$"), AfterValidator(_of_this_partition)]
    availability_zones: Annotated[tuple[str, ...], Field(min_length=2, max_length=3)]
    runbook_url: Annotated[str, Field(pattern=r"^https://[^\s#]+$")]
    production: bool = False
    architecture: Literal["arm64", "x86_64"] = "x86_64"
    log_retention_days: Literal[7, 14, 30, 60, 90, 180, 365] = 30
    ledger_retention_days: Annotated[int, Field(ge=15)] = 30
    base_image: Annotated[str, Field(pattern=r"^\S+@sha256:[0-9a-f]{64}$")] | None = None
    telemetry_image: Annotated[str, AfterValidator(_with_version)] | None = None
    network: Network
    storage: Storage
    load: Load
    messaging: Messaging = Messaging()
    producers: Producers = Producers()
    export_api: ExportApi
    orchestrator: Service
    worker: Service
    alarms: Alarms
    notifications: Notifications | None = None

    @property
    def cluster_name(self) -> str:
        """The ECS cluster's name, known before it exists so that policies can spell its tasks' ARNs."""
        return f"{SYSTEM}-{self.name}"

    @model_validator(mode="after")
    def _zones_are_the_regions(self) -> Self:
        zones = self.availability_zones
        if len(set(zones)) != len(zones) or not all(
            re.fullmatch(re.escape(self.region) + "[a-z]", zone) for zone in zones
        ):
            raise ValueError(f"availability_zones {zones} are not distinct zones of {self.region}")
        existing = self.network.existing_vpc
        if existing is not None and len(existing.subnet_ids) != len(zones):
            raise ValueError("an existing VPC needs one subnet per availability zone, in the same order")
        if self.network.nat_gateways > len(zones):
            raise ValueError(f"{self.network.nat_gateways} NAT gateways do not fit {len(zones)} zones")
        return self

    @model_validator(mode="after")
    def _keys_are_the_regions(self) -> Self:
        for arn in (self.storage.existing_key_arn, self.storage.existing_metadata_key_arn):
            if arn is not None and arn.split(":")[3] != self.region:
                raise ValueError(f"{arn} is not in {self.region}: a key works in its own region only")
        return self

    @model_validator(mode="after")
    def _telemetry_has_memory(self) -> Self:
        for service in (self.orchestrator, self.worker) if self.telemetry_image else ():
            if service.task_memory_mib - service.container_memory_mib < _TELEMETRY_MIB:
                raise ValueError(
                    f"telemetry_image lives on what container_memory_mib leaves of task_memory_mib: leave "
                    f"{_TELEMETRY_MIB} or more"
                )
        return self

    @model_validator(mode="after")
    def _production_is_ready(self) -> Self:
        if not self.production:
            return self
        missing = [
            sentence
            for wanting, sentence in (
                (not self.storage.protected, "storage.protected, or a deletion takes the data with it"),
                (self.alarms.email is None, "alarms.email, or nobody is told"),
                (self.base_image is None, "base_image by digest, or a commit builds another image tomorrow"),
                (self.orchestrator.min_tasks < 2, "two orchestrators (min_tasks), or one zone stops intake"),
            )
            if wanting
        ]
        if missing:
            raise ValueError(f"production needs {'; '.join(missing)}")
        return self
