"""How requests prove who we are, and what becomes of secrets and token endpoints that do not."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from runtime.shared.export_api import ApiError, Unauthorised, Unavailable
from runtime.shared.export_api.auth import ApiKey, Bearer
from runtime.shared.export_api.oauth import OAuth2
from tests.unit.conftest import Clock
from tests.unit.orchestrator.vendor import Wire, settings
from tests.unit.shared.export_api.secrets import Secrets, store

Answer = Callable[[httpx.Request], httpx.Response]


def always(status: int, **options: Any) -> Answer:
    return lambda _request: httpx.Response(status, **options)


def test_an_api_key_goes_in_the_header_that_the_secret_names() -> None:
    assert ApiKey(store(Secrets('{"api_key": "k"}')), "X-Own").headers() == {"X-Own": "k"}
    assert ApiKey(store(Secrets('{"api_key": "k", "header": "X-Key"}')), "X-Own").headers() == {"X-Key": "k"}


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"token": 3}', '{"token": "a\\nb"}', '{"token": ""}'])
def test_a_useless_secret_is_unauthorised_and_stays_secret(text: str) -> None:
    with pytest.raises(Unauthorised) as raised:
        Bearer(store(Secrets(text))).headers()
    assert "a\nb" not in str(raised.value)


def test_a_secret_without_a_value_says_what_to_put_in() -> None:
    class Empty(Secrets):
        def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")

    with pytest.raises(
        Unavailable, match=r"has no value yet.*\{\"token\".*put-secret-value --secret-id arn "
    ):
        Bearer(store(Empty())).headers()


def test_the_secret_is_read_every_few_minutes(clock: Clock) -> None:
    secrets = Secrets()
    bearer = Bearer(store(secrets, clock))
    for _ in range(3):
        bearer.headers()
    clock.advance(301)
    bearer.headers()
    assert secrets.reads == 2


def test_an_oauth_token_is_kept_until_shortly_before_its_end(clock: Clock) -> None:
    grants: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        grants.append(request)
        return httpx.Response(200, json={"access_token": f"t{len(grants)}", "expires_in": 600})

    secret = Secrets(
        '{"token_url": "https://id.example/t", "client_id": "a b", "client_secret": "s", "scope": "r"}'
    )
    oauth = OAuth2(settings(), store(secret, clock), httpx.Client(transport=Wire(answer)), clock=clock)
    assert oauth.headers() == {"Authorization": "Bearer t1"}
    clock.advance(530)
    assert oauth.headers() == {"Authorization": "Bearer t1"}
    clock.advance(20)
    assert oauth.headers() == {"Authorization": "Bearer t2"}
    assert oauth.headers(fresh=True) == {
        "Authorization": "Bearer t2"
    }  # other slots were refused with the old one
    clock.advance(10)
    assert oauth.headers(fresh=True) == {"Authorization": "Bearer t3"}
    assert grants[0].content == b"grant_type=client_credentials&scope=r"
    assert grants[0].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (always(400, json={"error": "invalid_client"}), Unauthorised),
        (always(200, text="<html>"), Unauthorised),
        (always(200, json={"token": 1}), Unauthorised),
        (always(503), Unavailable),
    ],
)
def test_a_token_endpoint_that_gives_no_token(answer: Answer, error: type[ApiError]) -> None:
    secret = Secrets('{"token_url": "https://id.example/t", "client_id": "a", "client_secret": "s"}')
    with pytest.raises(error):
        OAuth2(settings(), store(secret), httpx.Client(transport=Wire(answer))).headers()
