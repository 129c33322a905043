"""The Export API client: what each answer becomes, who gets the credentials, and when the circuit opens."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_test
from hypothesis import strategies as st

from runtime.shared.export_api import (
    ApiError,
    ExportApi,
    InvalidAnswer,
    NotFound,
    RateLimited,
    Refused,
    Unauthorised,
    Unavailable,
)
from runtime.shared.export_api import client as api_client
from runtime.shared.export_api.auth import Bearer
from tests.unit.conftest import Clock
from tests.unit.orchestrator.vendor import Wire, settings
from tests.unit.shared.circuits.fleet import unshared
from tests.unit.shared.export_api.secrets import Secrets, store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BASE = "https://api.example/base"
RECORD = {"file_id": "f", "name": "f.zip", "size": 3, "download_url": "/d/f?sig=1"}

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_client, "FIRST_WAIT_S", 0)


def api(answer: Answer, *, secrets: Secrets | None = None, failures: int = 100, **options: Any) -> ExportApi:
    http = httpx.Client(transport=Wire(answer))
    clock = Clock()
    authenticator = Bearer(store(secrets or Secrets(), clock))
    profile = settings(export_api_base_url=BASE, export_api_attempts=3)
    return ExportApi(profile, http, authenticator, unshared(failures), utc_now=lambda: NOW, **options)


def always(status: int, **options: Any) -> Answer:
    return lambda _request: httpx.Response(status, **options)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (always(404, json={"title": "No such job"}), NotFound),
        (always(400), Refused),
        (always(401), Unauthorised),
        (always(403), Unauthorised),
        (always(429), RateLimited),
        (always(403, headers={"Retry-After": "60"}), RateLimited),
        (always(403, headers={"Retry-After": "soon"}), Unauthorised),
        (always(500), Unavailable),
        (always(503), Unavailable),
        (always(302, headers={"Location": "https://elsewhere.example"}), InvalidAnswer),
        (always(204), InvalidAnswer),
        (always(200, html="<html>"), InvalidAnswer),
        (always(200, text="{"), InvalidAnswer),
        (always(200, json=[]), InvalidAnswer),
        (always(200, json={"status": "odd"}), InvalidAnswer),
        (always(200, json={"status": ["running"]}), InvalidAnswer),
        (always(200, text="[" * 100_000), InvalidAnswer),
        (always(200, content=b"\xff\xfe\x00"), InvalidAnswer),
        (
            always(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip")),
            InvalidAnswer,
        ),
    ],
)
def test_every_answer_has_its_error(answer: Answer, error: type[ApiError]) -> None:
    with pytest.raises(error) as raised:
        api(answer).job_status("job")
    assert type(raised.value) is error


@pytest.mark.parametrize(
    "broken", [httpx.ReadTimeout("slow"), httpx.ConnectError("refused"), httpx.RemoteProtocolError("x")]
)
def test_a_broken_connection_is_unavailable(broken: Exception) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        raise broken

    with pytest.raises(Unavailable):
        api(answer).job_status("job")


def test_a_passing_failure_is_retried_inline() -> None:
    answers = iter(
        [httpx.Response(503, headers={"Retry-After": "1"}), httpx.Response(200, json={"status": "completed"})]
    )
    assert api(lambda _request: next(answers)).job_status("job") == "completed"


def test_a_long_retry_after_is_left_to_the_message() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(
            503, headers={"Retry-After": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}
        )

    with pytest.raises(Unavailable) as raised:
        api(answer).job_status("job")
    assert raised.value.retry_after_s == 90
    assert len(requests) == 1


def test_cancelled_work_does_not_retry() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(500)

    with pytest.raises(Unavailable):
        api(answer).job_status("job", wait=lambda _pause_s: True)
    assert len(requests) == 1


def test_a_rotated_secret_is_read_again_once() -> None:
    secrets, seen = Secrets(), []
    clock = Clock()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        if seen[-1] == "Bearer one":
            secrets.text = '{"token": "two"}'
            clock.advance(10)
            return httpx.Response(401)
        return httpx.Response(200, json={"status": "running"})

    http = httpx.Client(transport=Wire(answer))
    profile = settings(export_api_base_url=BASE, export_api_attempts=1)
    client = ExportApi(profile, http, Bearer(store(secrets, clock)), unshared(9))
    assert client.job_status("job") == "running"
    assert seen == ["Bearer one", "Bearer two"]
    assert secrets.reads == 2


def test_a_file_record_is_checked_and_its_size_is_only_a_hint() -> None:
    assert api(always(200, json=RECORD | {"size": "unknown"})).get_file("job", "f").size is None
    for broken in (RECORD | {"file_id": "g"}, RECORD | {"name": ""}, {"file_id": "f"}, None, 3):
        with pytest.raises(InvalidAnswer) as raised:
            api(always(200, json=broken)).get_file("job", "f")
        assert "sig=1" not in str(raised.value)


def test_the_credentials_stay_on_the_apis_own_origin() -> None:
    client = api(always(200, json={}))
    assert client.headers_for("https://api.example/other?x=1")["Authorization"] == "Bearer one"
    assert client.headers_for("https://API.example:443/x")
    for other in (
        "http://api.example/",
        "https://api.example:444/",
        "https://api.example.evil/",
        "https://evil@x/",
        "https://evil.example\\@api.example/",
        "https://user@api.example/",
        "https://api.example\\t/",
        "//x",
    ):
        assert client.headers_for(other) == {}


def test_relative_addresses_are_resolved_and_absolute_ones_left_alone() -> None:
    client = api(always(200))
    assert client.absolute("/d/f?sig=a%2Fb") == "https://api.example/d/f?sig=a%2Fb"
    assert client.absolute("https://s3.example/a%2fb?X=é|") == "https://s3.example/a%2fb?X=é|"
    for broken in ("ftp://x/y", "javascript:alert(1)", "http://x:port/"):
        with pytest.raises(InvalidAnswer):
            client.absolute(broken)


@settings_of_test(deadline=None)
@given(st.text(max_size=60))
def test_no_address_surprises_the_client(text: str) -> None:
    client = api(always(200))
    client.is_own(text)
    with suppress(InvalidAnswer):
        assert httpx.URL(client.absolute(text)).scheme in {"http", "https"}


def test_the_vendors_headers_go_with_its_token_and_nowhere_else() -> None:
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, json={"status": "running"})

    def client(**profile: Any) -> ExportApi:
        values = {
            "export_api_base_url": BASE,
            "export_api_headers": {"X-Tenant": "a", "Accept": "x/y"},
        } | profile
        http = httpx.Client(transport=Wire(answer))
        return ExportApi(settings(**values), http, Bearer(store(Secrets())), unshared())

    own, other = "https://api.example/d", "https://cdn.example/d"
    client().job_status("job")
    assert (seen[0]["x-tenant"], seen[0]["accept"]) == ("a", "x/y")
    assert client().headers_for(own) == {"X-Tenant": "a", "Accept": "x/y", "Authorization": "Bearer one"}
    assert client().headers_for(other) == {}
    assert client(export_api_token_with_downloads=False).headers_for(own) == {}


@pytest.mark.parametrize(
    ("template", "encoded", "ids", "path"),
    [
        ("/e/{export_job_id}/f/{file_id}", False, ("a b", "x%2Fy"), "/base/e/a%20b/f/x%252Fy"),
        ("/e/{export_job_id}/f/{file_id}", True, ("a", "x%2Fy"), "/base/e/a/f/x%2Fy"),
        ("/f/{+file_id}", True, ("a", "x%2Fy%20z%3F"), "/base/f/x/y%20z%3F"),
        ("/f('{file_id}')?view=full", False, ("a", "b"), "/base/f('b')?view=full"),
    ],
)
def test_a_template_puts_the_ids_in_their_places(
    template: str, encoded: bool, ids: tuple[str, str], path: str
) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(404)

    profile = settings(
        export_api_base_url=BASE, export_api_file_path=template, export_api_encoded_ids=encoded
    )
    http = httpx.Client(transport=Wire(answer))
    with pytest.raises(NotFound):
        ExportApi(profile, http, Bearer(store(Secrets())), unshared()).get_file(*ids)
    assert asked == [path]
