"""The vendor's API, as values."""

from typing import Literal

from stacks.values.base import Values
from stacks.values.hosts import DownloadHost, HttpsUrl, bucket_of


class ExportApi(Values):
    """The vendor's API: where it is and how we prove who we are. The credentials are in Secrets Manager."""

    base_url: HttpsUrl
    auth: Literal["bearer", "api-key", "oauth2"] = "bearer"
    download_hosts: tuple[DownloadHost, ...] = ()

    def download_buckets(self, region: str) -> list[str]:
        """The vendor's buckets among `download_hosts`, which tasks reach through our S3 endpoint."""
        return [bucket for host in self.download_hosts if (bucket := bucket_of(host, region))]
