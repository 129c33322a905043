"""Hosts that tasks call, as values: what is written here can be reached, and opens no more than it names.

Tasks call HTTPS on port 443 and nothing else. A bucket is reached through our S3 endpoint, whose policy names
it, so it has to be the first part of its host's name; a form that names no bucket would admit every bucket.
"""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]+)")
_REGION = r"[a-z]{2}(?:-[a-z]+)+-\d"
_BUCKETS_HOST = re.compile(
    rf"(?P<bucket>[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9])\.s3(?:\.(?P<region>{_REGION}))?\.amazonaws\.com"
)
_OF_AWS = re.compile(r"(?:.*\.)?amazonaws\.com(?:\.cn)?|.*\.(?:api\.aws|on\.aws)")
_OF_S3 = re.compile(r"(?:.*\.)?(?:[a-z0-9-]*-)?s3(?:-[a-z0-9-]+)?\..*")


def bucket_of(host: str, region: str) -> str | None:
    """The bucket that a host names, if it is one that our endpoint in the region leads to."""
    found = _BUCKETS_HOST.fullmatch(host)
    return found["bucket"] if found and found["region"] in (None, region) else None


def _https_url(url: str) -> str:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme != "https" or not parts.hostname or re.search(r"\s", url):
        raise ValueError(f"{url!r} is no https:// URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials belong in the secret, not in the URL")
    if port not in (None, 443):
        raise ValueError(f"port {parts.netloc.rpartition(':')[2]}: tasks may call port 443 alone")
    if parts.query or parts.fragment:
        raise ValueError("the base of an API has neither query nor fragment")
    _name(parts.hostname)
    if _of_s3(parts.hostname):
        raise ValueError(f"{parts.hostname} is S3: the endpoint's policy lets only download_hosts through")
    return url.rstrip("/")


def _download_host(host: str) -> str:
    wildcard, name = host.startswith("*."), host.removeprefix("*.")
    _name(name)
    if _OF_AWS.fullmatch(name) and (wildcard or (_of_s3(name) and not _BUCKETS_HOST.fullmatch(name))):
        raise ValueError(
            f"{host} names no single bucket of ours to open the S3 endpoint for: write it as "
            "BUCKET.s3.REGION.amazonaws.com, without wildcard, path style, dual stack or acceleration"
        )
    return host


def _name(host: str) -> None:
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise ValueError(
            f"{host!r} is no host name: lower case, without scheme, port or path, not an address, "
            "and a wildcard only as the whole first part before at least two others"
        )


def _of_s3(host: str) -> bool:
    return bool(_OF_AWS.fullmatch(host) and _OF_S3.fullmatch(host))


HttpsUrl = Annotated[str, AfterValidator(_https_url)]
"""Of an API: no credentials, port, query or fragment, and no slash at its end."""
DownloadHost = Annotated[str, AfterValidator(_download_host)]
"""A host, or `*.` and the name above all the hosts that are meant."""
