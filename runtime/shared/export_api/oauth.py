"""OAuth 2.0 client credentials (RFC 6749, section 4.4): a token that is obtained early and kept.

A token is renewed before it ends; while the token endpoint is away, the known one is used to its end. The
endpoint's own Retry-After is heeded by every thread.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

import httpx

from runtime.shared.export_api.body import ACCEPT_ENCODING, TwoValues, Unreadable, read_document
from runtime.shared.export_api.credentials import SecretStore, usable
from runtime.shared.export_api.errors import ApiError, RateLimited, Unauthorised, Unavailable
from runtime.shared.export_api.profile import VendorProfile
from runtime.shared.retry_after import retry_after_s
from runtime.shared.sizes import MIB

# A token is renewed this long before it ends, but a short-lived one is still used for half its life.
_MARGIN_S = 60.0
_DEFAULT_LIFE_S = 300.0
_LONGEST_LIFE_S = 86_400.0
# Many slots are refused at the same moment; one new token answers them all.
_LEAST_AGE_S = 2.0
_MAX_ANSWER_BYTES = MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    value: str
    obtained_at: float
    renew_at: float
    ends_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grant:
    """A request to the token endpoint."""

    url: str
    client_id: str
    client_secret: str
    scope: str
    audience: str
    client_auth: Literal["basic", "body"]


class OAuth2:
    """OAuth 2.0 client credentials, from a secret of {"client_id", "client_secret"}.

    "token_url", "scope", "audience" and "client_auth" may be there too and win over the profile's.
    """

    def __init__(
        self,
        profile: VendorProfile,
        secrets: SecretStore,
        http: httpx.Client,
        *,
        clock: Callable[[], float] = time.monotonic,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._profile = profile
        self._secrets = secrets
        self._http = http
        self._clock = clock
        self._utc_now = utc_now
        self._lock = threading.Lock()
        self._token: _Token | None = None
        self._not_before = float("-inf")

    def headers(self, *, fresh: bool = False) -> Mapping[str, str]:
        # One slot renews while the others wait for its token.
        with self._lock:
            return {"Authorization": f"Bearer {self._current(fresh=fresh).value}"}

    def _current(self, *, fresh: bool) -> _Token:
        now, token = self._clock(), self._token
        refused = token is not None and fresh and now - token.obtained_at > _LEAST_AGE_S
        if token is not None and now < token.renew_at and not refused:
            return token
        try:
            self._token = self._obtain(fresh=fresh)
        except Unavailable:
            if token is None or now >= token.ends_at or refused:
                raise
            return token
        return self._token

    def _obtain(self, *, fresh: bool) -> _Token:
        if (pause := self._not_before - self._clock()) > 0:
            raise RateLimited("the token endpoint has asked for a pause", pause)
        grant = self._grant(self._secrets.get(fresh=fresh))
        form = {"grant_type": "client_credentials"}
        form |= {name: value for name in ("scope", "audience") if (value := getattr(grant, name))}
        auth = None
        if grant.client_auth == "body":
            form |= {"client_id": grant.client_id, "client_secret": grant.client_secret}
        else:
            # RFC 6749, section 2.3.1: form-encoded first.
            auth = httpx.BasicAuth(quote(grant.client_id, safe=""), quote(grant.client_secret, safe=""))
        headers = {"Accept": "application/json", "Accept-Encoding": ACCEPT_ENCODING}
        try:
            with self._http.stream("POST", grant.url, data=form, auth=auth, headers=headers) as answer:
                if answer.status_code != 200:
                    raise self._refusal(answer)
                document = read_document(
                    answer.iter_raw(),
                    answer.headers.get("content-encoding", ""),
                    answer.headers.get("content-type", ""),
                    limit=_MAX_ANSWER_BYTES,
                )
        except Unreadable as error:
            raise Unauthorised(f"the token endpoint answers 200 with {error}") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unavailable(f"the token endpoint does not answer ({type(error).__name__})") from error
        return self._read(document)

    def _grant(self, secret: Mapping[str, str]) -> _Grant:
        profile = self._profile
        url = secret.get("token_url") or profile.export_api_oauth_token_url
        if not url.startswith(("https://", "http://")):
            raise Unauthorised(
                'there is no token endpoint: set EXPORT_API_OAUTH_TOKEN_URL or the secret\'s "token_url"'
            )
        in_body = (secret.get("client_auth") or profile.export_api_oauth_client_auth) == "body"
        return _Grant(
            url=url,
            client_id=usable(secret, "client_id"),
            client_secret=usable(secret, "client_secret"),
            scope=secret.get("scope") or profile.export_api_oauth_scope,
            audience=secret.get("audience") or profile.export_api_oauth_audience,
            client_auth="body" if in_body else "basic",
        )

    def _refusal(self, answer: httpx.Response) -> ApiError:
        status = answer.status_code
        text = f"the token endpoint gives no token (status {status})"
        pause = retry_after_s(answer.headers.get("retry-after"), self._utc_now())
        if status == 429 or (status == 403 and pause is not None):
            self._not_before = self._clock() + (pause or 0.0)
            return RateLimited(text, pause)
        if status >= 500 or status in {408, 425}:
            self._not_before = self._clock() + (pause or 0.0)
            return Unavailable(text, pause)
        return Unauthorised(text)

    def _read(self, document: Any) -> _Token:
        fields = document if isinstance(document, dict) else {}
        try:
            token, life = fields.get("access_token"), fields.get("expires_in")
        except TwoValues as error:
            raise Unauthorised(f"the token endpoint's answer has two readings: {error}") from error
        if not isinstance(token, str) or not token.isprintable() or not token.isascii() or not token:
            raise Unauthorised("the token endpoint answers without a usable access_token")
        now, life_s = self._clock(), _life_s(life)
        return _Token(
            value=token,
            obtained_at=now,
            renew_at=now + max(life_s - _MARGIN_S, life_s / 2),
            ends_at=now + life_s,
        )


def _life_s(value: Any) -> float:
    """Seconds; RFC 6749 wants a number, several servers send its digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        return _DEFAULT_LIFE_S
    return float(min(value, _LONGEST_LIFE_S))
