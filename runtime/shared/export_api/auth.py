"""How a request proves who we are: bearer token, API-key header, or OAuth 2.0 client credentials.

An authenticator turns the secret into headers. `fresh` means that the API has just refused the previous ones.
"""

from collections.abc import Mapping
from typing import Protocol

import httpx

from runtime.shared.circuits import Circuits
from runtime.shared.export_api.credentials import SecretStore, usable
from runtime.shared.export_api.errors import ApiError, NoCredentials, RateLimited
from runtime.shared.export_api.oauth import OAuth2
from runtime.shared.export_api.profile import VendorProfile

SECRET = "secret"  # noqa: S105  a circuit's name


class Authenticator(Protocol):
    """Gives the headers for one request. Raises ApiError."""

    def headers(self, *, fresh: bool = False) -> Mapping[str, str]: ...


class Bearer:
    """Secret: {"token"}."""

    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets

    def headers(self, *, fresh: bool = False) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {usable(self._secrets.get(fresh=fresh), 'token')}"}


class ApiKey:
    """Secret: {"api_key", "header"?}; without "header" the profile's header."""

    def __init__(self, secrets: SecretStore, header: str) -> None:
        self._secrets = secrets
        self._header = header

    def headers(self, *, fresh: bool = False) -> Mapping[str, str]:
        secret = self._secrets.get(fresh=fresh)
        return {secret.get("header", self._header): usable(secret, "api_key")}


class Guarded:
    """Another authenticator behind the secret's circuit: what is wrong with it is not the API's fault.

    Raises NoCredentials, RateLimited (by the token endpoint), CircuitOpen.
    """

    def __init__(self, inner: Authenticator, circuits: Circuits) -> None:
        self._inner = inner
        self._circuits = circuits
        circuits.add(
            SECRET,
            counts=lambda error: isinstance(error, NoCredentials),
            probe=self._probe,
        )

    def headers(self, *, fresh: bool = False) -> Mapping[str, str]:
        with self._circuits.call(SECRET):
            return self._ask(fresh=fresh)

    def _probe(self, _dependency: str) -> None:
        self._ask(fresh=True)

    def _ask(self, *, fresh: bool) -> Mapping[str, str]:
        try:
            return self._inner.headers(fresh=fresh)
        except RateLimited:
            raise
        except ApiError as error:
            raise NoCredentials(str(error)) from error


def authenticator(profile: VendorProfile, secrets: SecretStore, http: httpx.Client) -> Authenticator:
    """The one that the profile names."""
    match profile.export_api_auth:
        case "bearer":
            return Bearer(secrets)
        case "api-key":
            return ApiKey(secrets, profile.export_api_key_header)
        case "oauth2":
            return OAuth2(profile, secrets, http)
