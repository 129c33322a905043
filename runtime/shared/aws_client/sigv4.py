"""AWS Signature Version 4, for requests whose headers are written as they are sent.

botocore builds, normalises and serialises each request through a dozen layers, about a millisecond each; here
a signature costs three hashes. The signing key is kept for its day.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from botocore.credentials import Credentials

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_UNRESERVED_PATH = "/-_.~"


class _Key(NamedTuple):
    secret: str
    day: str
    value: bytes


def escape_path(path: str) -> str:
    """A path as S3 signs and receives it: each byte outside the unreserved set percent-encoded, once."""
    return quote(path, safe=_UNRESERVED_PATH)


class SigV4Signer:
    """Writes the signed head of a request for one service and region."""

    def __init__(self, credentials: Credentials, region: str, service: str) -> None:
        self._credentials = credentials
        self._region = region
        self._service = service
        self._key = _Key("", "", b"")
        self._clock: tuple[int, str] = (0, "")

    def head(
        self, method: str, path: str, headers: Mapping[str, str], payload_hash: str, length: int
    ) -> bytes:
        """The request's head with its signature.

        `path` is already escaped and has no query but for "name=value" pairs, sorted, after a "?".
        `headers` have lower-case names and hold at least "host"; all but the user agent are signed, which
        botocore leaves out too, because proxies may change it.
        """
        credentials = self._credentials.get_frozen_credentials()
        now = self._timestamp()
        signed = {**headers, "x-amz-content-sha256": payload_hash, "x-amz-date": now}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        agent = signed.pop("user-agent", None)
        names = sorted(signed)
        lines = [f"{name}:{signed[name]}" for name in names]
        block, listed = "\n".join(lines), ";".join(names)
        target, _, query = path.partition("?")
        canonical = f"{method}\n{target}\n{query}\n{block}\n\n{listed}\n{payload_hash}"
        day = now[:8]
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}"
        signature = hmac.digest(
            self._signing_key(credentials.secret_key or "", day), to_sign.encode(), "sha256"
        ).hex()
        text = "\r\n".join([*lines, f"user-agent:{agent}"] if agent else lines)
        return (
            f"{method} {path} HTTP/1.1\r\n{text}\r\ncontent-length:{length}\r\n"
            f"authorization:AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={listed}, Signature={signature}\r\n\r\n"
        ).encode()

    def _timestamp(self) -> str:
        second, text = self._clock
        now = int(time.time())
        if now != second:
            text = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
            self._clock = (now, text)
        return text

    def _signing_key(self, secret: str, day: str) -> bytes:
        key = self._key
        if key.day != day or key.secret != secret:
            value = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                value = hmac.digest(value, part.encode(), "sha256")
            self._key = key = _Key(secret, day, value)
        return key.value
