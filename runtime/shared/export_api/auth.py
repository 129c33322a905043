"""How a request proves who we are: bearer token, API-key header, or OAuth 2.0 client credentials.

An authenticator turns the secret into headers. `fresh` means that the API has just refused the previous ones.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Literal, Protocol
from urllib.parse import quote

import httpx

from runtime.shared.export_api.credentials import SecretStore
from runtime.shared.export_api.errors import Unauthorised, Unavailable

Method = Literal["bearer", "api-key", "oauth2"]

DEFAULT_API_KEY_HEADER = "X-API-Key"
# A token is renewed this long before it ends, but a short-lived one is still used for half its life.
_TOKEN_MARGIN_S = 60.0
_TOKEN_LIFE_S = 300.0


class Authenticator(Protocol):
    """Gives the headers for one request. Raises Unauthorised | Unavailable."""

    def headers(self, *, fresh: bool = False) -> Mapping[str, str]: ...


class Bearer:
    """Secret: {"token"}."""

    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets

    def headers(self, *, fresh: bool = False) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {_field(self._secrets.get(fresh=fresh), 'token')}"}


class ApiKey:
    """Secret: {"api_key", "header"?}."""

    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets

    def headers(self, *, fresh: bool = False) -> Mapping[str, str]:
        secret = self._secrets.get(fresh=fresh)
        return {secret.get("header", DEFAULT_API_KEY_HEADER): _field(secret, "api_key")}


class OAuth2:
    """Secret: {"token_url", "client_id", "client_secret", "scope"?}; the token is kept until shortly before
    its end.

    Client credentials go in the Authorization header, the way every token endpoint must accept (RFC 6749,
    2.3.1).
    """

    def __init__(
        self, secrets: SecretStore, http: httpx.Client, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._secrets = secrets
        self._http = http
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._obtained_at = 0.0
        self._renew_at = 0.0

    def headers(self, *, fresh: bool = False) -> Mapping[str, str]:
        # One slot renews while the others wait for its token.
        with self._lock:
            now = self._clock()
            refused = fresh and now - self._obtained_at > 2
            if not self._token or now >= self._renew_at or refused:
                self._obtain(fresh=fresh)
            return {"Authorization": f"Bearer {self._token}"}

    def _obtain(self, *, fresh: bool) -> None:
        secret = self._secrets.get(fresh=fresh)
        form = {"grant_type": "client_credentials"}
        if "scope" in secret:
            form["scope"] = secret["scope"]
        client = httpx.BasicAuth(
            quote(_field(secret, "client_id"), safe=""), quote(_field(secret, "client_secret"), safe="")
        )
        try:
            answer = self._http.post(_field(secret, "token_url"), data=form, auth=client)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unavailable(f"the token endpoint does not answer ({type(error).__name__})") from error
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Unavailable(f"the token endpoint answers {answer.status_code}")
        try:
            document = answer.json()
        except ValueError:
            document = None
        token = document.get("access_token") if isinstance(document, dict) else None
        if answer.status_code != 200 or not isinstance(token, str) or not token:
            raise Unauthorised(f"the token endpoint gives no token (status {answer.status_code})")
        life = document.get("expires_in")
        life_s = float(life) if isinstance(life, (int, float)) and life > 0 else _TOKEN_LIFE_S
        self._token = token
        self._obtained_at = self._clock()
        self._renew_at = self._obtained_at + max(life_s - _TOKEN_MARGIN_S, life_s / 2)


def authenticator(method: Method, secrets: SecretStore, http: httpx.Client) -> Authenticator:
    """The one that the settings name."""
    match method:
        case "bearer":
            return Bearer(secrets)
        case "api-key":
            return ApiKey(secrets)
        case "oauth2":
            return OAuth2(secrets, http)


def _field(secret: Mapping[str, str], name: str) -> str:
    value = secret.get(name, "")
    # A newline or other odd character would make httpx refuse the header with the value in its message.
    if not value or not value.isprintable() or not value.isascii():
        raise Unauthorised(f'the API\'s secret has no usable "{name}"')
    return value
