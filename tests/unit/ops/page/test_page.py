"""The page: what it shows, that names from elsewhere stay text, and that nothing but loopback is answered."""

import re
import threading
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient

from ops.page.app import HEADERS, VIEWS, create
from ops.page.kept import Kept
from ops.page.serve import PageServer
from tests.unit.ops.site import Site

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7*7 }}{% raw %}",
    "</title><svg onload=alert(1)>",
    "javascript:alert(1)",
    "\u202egnp.exe",
    "a\x1b]0;owned\x07b\x00c",
    "$(touch${IFS}x);`id`&&true|'\"",
    "&lt;b&gt;&amp;",
)
JOBS = tuple(re.sub(r"[\x00-\x20\x7f/\\?#]", "_", text) for text in HOSTILE)


class Strict(HTMLParser):
    """Notes what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.texts: list[str] = []
        self.copies: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "script" and values.get("src") != "/static/page.js":
            self.faults.append(f"script {values}")
        if tag in ("img", "iframe", "object", "style", "base", "embed"):
            self.faults.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.faults.append(f"{tag} {name}")
            if name in ("href", "src", "action") and not (value or "").startswith(("/", "#")):
                self.faults.append(f"{tag} {name}={value}")
        if "data-copy" in values:
            self.copies.append(values["data-copy"] or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def page(site: Site) -> FlaskClient:
    return create(site.fleet, patience_s=30).test_client()


def read(page: FlaskClient, path: str, **query: str) -> tuple[str, Strict]:
    answer = page.get(path, query_string=query, headers={"Host": "127.0.0.1:8765"})
    assert answer.status_code == 200, answer.text
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    parser = Strict()
    parser.feed(answer.text)
    assert not parser.faults
    return answer.text, parser


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_names_stay_text_on_every_view(site: Site, page: FlaskClient, number: int) -> None:
    text, job = HOSTILE[number], JOBS[number]
    site.listed(job, [job])
    site.put_lines(f"manifests/{job}/missing.jsonl", [{"path": text, "reason": text, "file_id": text}])
    site.ended(site.parked(job, job, "not-a-zip", text), "failed", 2, 1)
    site.park_message(
        "ExportJobs", text.replace("\x00", "").replace("\x1b", "").replace("\x07", ""), text[:50]
    )
    for path in VIEWS:
        words = {"id": job} if path == "/job" else {}
        shown, parser = read(page, path, **words)
        assert "\u202e" not in shown
        assert "\x1b" not in shown
        if path in ("/job", "/jobs"):
            assert any(job.replace("\u202e", "\\x202e") in data for data in parser.texts)
    _, echoed = read(page, "/jobs", find=text, state=text, error=text)
    assert not echoed.faults


def test_the_overview_says_what_fails_with_the_command_that_acts_on_it(site: Site, page: FlaskClient) -> None:
    site.listed("job-a", ["f0"])
    site.ended(site.parked("job-a", "f0", "not-a-zip", "the first line\nthe second"), "failed")
    shown, parser = read(page, "/")
    assert "export-ops dlq list" in parser.copies
    assert "export-ops jobs --state failed" in parser.copies
    assert "1 archives parked" in shown
    assert 'href="/job?id=job-a"' in shown


def test_a_job_is_found_by_a_part_of_its_id_and_by_its_error(site: Site, page: FlaskClient) -> None:
    for name in ("alpha-1", "alpha-2", "beta-3"):
        site.ledger.park_job(name, "unknown-job", f"404 for {name}", correlation_id="trail")
    assert {
        name for name in ("alpha-1", "alpha-2", "beta-3") if name in read(page, "/jobs", find="pha-")[0]
    } == {
        "alpha-1",
        "alpha-2",
    }
    assert "404 for beta-3" in read(page, "/jobs", error="for beta", state="failed")[0]
    assert "No job matches." in read(page, "/jobs", find="gamma")[0]


@pytest.mark.parametrize(
    ("host", "method", "status"),
    [
        ("127.0.0.1:8765", "GET", 200),
        ("localhost", "HEAD", 200),
        ("[::1]:8765", "GET", 200),
        ("evil.example", "GET", 421),
        ("127.0.0.1.evil.example:8765", "GET", 421),
        ("localhost:8765", "POST", 405),
        ("localhost:8765", "DELETE", 405),
    ],
)
def test_only_loopback_is_answered_and_only_reading(
    page: FlaskClient, host: str, method: str, status: int
) -> None:
    answer = page.open("/circuits", method=method, headers={"Host": host})
    assert answer.status_code == status
    assert answer.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


def test_what_cannot_be_read_is_said_in_words(site: Site, page: FlaskClient) -> None:
    answer = page.get("/job?id=nobody")
    assert answer.status_code == 404
    assert "has never heard of job nobody" in answer.text


def test_a_view_does_not_wait_for_a_slow_answer_and_shows_it_once_it_is_there() -> None:
    gate = threading.Event()
    kept = Kept(fresh_s=60, stale_s=60, patience_s=0.01)
    asked = []

    def load() -> str:
        asked.append(1)
        assert gate.wait(10)
        return "there"

    assert [kept.get("key", load) for _ in range(3)] == [None, None, None]
    gate.set()
    patient = threading.Event()
    while kept.get("key", load) is None:
        patient.wait(0.01)
    assert kept.get("key", load) == "there"
    assert asked == [1]


def test_what_is_stale_is_shown_while_it_is_renewed_and_an_error_is_told() -> None:
    now = [0.0]
    kept = Kept(fresh_s=1, stale_s=100, patience_s=5, clock=lambda: now[0])
    assert kept.get("key", lambda: 1) == 1
    assert kept.get("key", lambda: 2) == 1
    now[0] = 2
    assert kept.get("key", lambda: 2) == 2
    now[0] = 4
    with pytest.raises(ZeroDivisionError):
        kept.get("key", lambda: 1 // 0)


def test_the_server_answers_on_loopback(site: Site) -> None:
    import urllib.request

    with PageServer(site.fleet) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert "page.css" in urllib.request.urlopen(server.url + "circuits", timeout=10).read().decode()
        assert urllib.request.urlopen(server.url + "static/page.js", timeout=10).status == 200
