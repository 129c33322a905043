"""The vendor's API, as values."""

from typing import Annotated, Literal

from pydantic import Field

from stacks.values.base import Values


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
