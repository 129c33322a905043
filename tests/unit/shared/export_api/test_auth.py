"""How requests prove who we are, and what becomes of secrets and token endpoints that do not."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from runtime.shared.export_api import ApiError, RateLimited, Unauthorised, Unavailable
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


CLIENT = '{"client_id": "a", "client_secret": "s&"}'
ENDPOINT = {"export_api_oauth_token_url": "https://id.example/t"}


class Grants:
    """A token endpoint that answers what it is told to, and keeps what it was asked."""

    def __init__(self, clock: Clock, secret: str = CLIENT, **profile: Any) -> None:
        self.answer: Answer = always(200, json={"access_token": "t", "expires_in": 600})
        self.asked: list[httpx.Request] = []
        http = httpx.Client(transport=Wire(self._grant))
        configured = settings(**ENDPOINT | profile)
        self.oauth = OAuth2(configured, store(Secrets(secret), clock), http, clock=clock)

    def _grant(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answer(request)


def test_the_profile_says_what_is_asked_and_where_the_credentials_go(clock: Clock) -> None:
    grants = Grants(
        clock,
        export_api_oauth_client_auth="body",
        export_api_oauth_scope="read all",
        export_api_oauth_audience="https://api.example",
    )
    grants.oauth.headers()
    (asked,) = grants.asked
    assert str(asked.url) == "https://id.example/t"
    assert asked.content == (
        b"grant_type=client_credentials&scope=read+all&audience=https%3A%2F%2Fapi.example"
        b"&client_id=a&client_secret=s%26"
    )
    assert "authorization" not in asked.headers


def test_what_the_secret_says_wins_over_the_profile(clock: Clock) -> None:
    secret = (
        '{"client_id": "a", "client_secret": "s", "token_url": "https://other.example/t", "audience": "ours"}'
    )
    grants = Grants(clock, secret, export_api_oauth_audience="theirs")
    grants.oauth.headers()
    assert str(grants.asked[0].url) == "https://other.example/t"
    assert grants.asked[0].content == b"grant_type=client_credentials&audience=ours"
    assert grants.asked[0].headers["authorization"].startswith("Basic ")


def test_an_endpoint_in_trouble_costs_nothing_while_the_known_token_is_good(clock: Clock) -> None:
    grants = Grants(clock)
    grants.oauth.headers()
    grants.answer = always(503)
    clock.advance(545)
    assert grants.oauth.headers() == {"Authorization": "Bearer t"}
    assert len(grants.asked) == 2
    clock.advance(60)
    with pytest.raises(Unavailable):
        grants.oauth.headers()


@pytest.mark.parametrize(
    ("status", "error"), [(429, RateLimited), (503, Unavailable), (403, RateLimited), (408, Unavailable)]
)
def test_the_endpoints_own_retry_after_is_heeded_by_everybody(
    clock: Clock, status: int, error: type[ApiError]
) -> None:
    grants = Grants(clock)
    grants.answer = always(status, headers={"Retry-After": "40"})
    with pytest.raises(error) as refused:
        grants.oauth.headers()
    assert refused.value.retry_after_s == 40
    grants.answer = always(200, json={"access_token": "t"})
    clock.advance(30)
    with pytest.raises(RateLimited) as paused:
        grants.oauth.headers()
    assert paused.value.retry_after_s == pytest.approx(10)
    assert len(grants.asked) == 1
    clock.advance(11)
    assert grants.oauth.headers() == {"Authorization": "Bearer t"}


# expires_in as it comes, and after how many seconds another token is asked for.
LIVES: dict[str, tuple[Any, float]] = {
    "seconds": (600, 540),
    "digits": ("600", 540),
    "a short life is half used": (40, 20),
    "none": (None, 240),
    "zero": (0, 240),
    "negative": (-5, 240),
    "a word": ("soon", 240),
    "a truth": (True, 240),
    "a year": (31_536_000, 86_340),
    "beyond every number": (10**400, 86_340),
}


@pytest.mark.parametrize("name", LIVES)
def test_a_token_is_renewed_before_its_end_whatever_that_is(clock: Clock, name: str) -> None:
    value, renewed_after_s = LIVES[name]
    grants = Grants(clock)
    grants.answer = always(200, json={"access_token": "t", "expires_in": value})
    grants.oauth.headers()
    clock.advance(renewed_after_s - 1)
    grants.oauth.headers()
    assert len(grants.asked) == 1
    clock.advance(2)
    grants.oauth.headers()
    assert len(grants.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        always(302, headers={"Location": "https://evil.example/"}),
        always(200, content=b"x" * 2_000_000),
        always(200, json=[]),
        always(200, json={"access_token": ""}),
        always(200, json={"access_token": "a\nb"}),
        always(200, content=b'{"access_token": "a", "access_token": "b"}'),
    ],
)
def test_an_odd_answer_of_the_endpoint_is_no_token(clock: Clock, answer: Answer) -> None:
    grants = Grants(clock)
    grants.answer = answer
    with pytest.raises(Unauthorised):
        grants.oauth.headers()
    assert len(grants.asked) == 1


def test_without_a_token_endpoint_it_says_where_to_name_one(clock: Clock) -> None:
    with pytest.raises(Unauthorised, match="EXPORT_API_OAUTH_TOKEN_URL"):
        Grants(clock, export_api_oauth_token_url="").oauth.headers()
