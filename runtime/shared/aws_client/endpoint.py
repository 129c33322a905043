"""Where botocore would send a call: asked of botocore itself, so that every setting it honours counts.

Endpoint URL overrides, FIPS and dual-stack settings, virtual-host or path style, partitions: none of that is
repeated here. A request is let through botocore up to the moment it would be sent, and its URL is read.
"""

import os
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import botocore.httpsession
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from runtime.shared.http.pool import Origin


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Scheme, host and port to connect to, the Host header, and the path everything lies under."""

    tls: bool
    host: str
    port: int
    authority: str
    base_path: str

    @property
    def origin(self) -> Origin:
        return Origin("https" if self.tls else "http", self.host, self.port)

    @classmethod
    def from_url(cls, url: str) -> "Endpoint":
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        if parts.hostname is None:
            raise ValueError(f"no host in the endpoint URL {url!r}")
        return cls(
            tls=tls,
            host=parts.hostname,
            port=parts.port or (443 if tls else 80),
            authority=parts.netloc,
            base_path=parts.path,
        )


class _Answered:
    """An empty body for the answer that stands in for the network's."""

    def stream(self, **_: Any) -> list[bytes]:
        return []


def bucket_endpoint(s3: Any, bucket: str) -> Endpoint:
    """Where objects of `bucket` live; `base_path` ends with "/" and a key follows it.

    Signs a request on the way, so it also fails early when there are no credentials.
    """
    seen: list[str] = []

    def instead_of_sending(request: Any, **_: Any) -> AWSResponse:
        seen.append(request.url)
        return AWSResponse(request.url, 200, HTTPHeaders(), _Answered())

    event = "before-send.s3.HeadObject"
    s3.meta.events.register_first(event, instead_of_sending)
    try:
        s3.head_object(Bucket=bucket, Key="k")
    finally:
        s3.meta.events.unregister(event, instead_of_sending)
    endpoint = Endpoint.from_url(seen[0])
    return Endpoint(
        tls=endpoint.tls,
        host=endpoint.host,
        port=endpoint.port,
        authority=endpoint.authority,
        base_path=endpoint.base_path.removesuffix("k"),
    )


def tls_context(session: Any) -> ssl.SSLContext:
    """Certificates are checked against what botocore would use: its CA bundle setting, else its own."""
    bundle = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    return ssl.create_default_context(cafile=bundle or botocore.httpsession.where())
