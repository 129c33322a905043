"""The sample Export API keeps the contract: the services meet outside what they are shown here."""

import http.client
import io
import json
import random
import zipfile
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from local.export_api import faults
from local.export_api.archives import Blob, LaidOutZip, Member
from local.export_api.catalogue import Catalogue, Export, ExportFile
from local.export_api.content import Content
from local.export_api.generated import generate
from local.export_api.ranges import NotSatisfiable, ServedRange, parse_range
from local.export_api.server import ExportApiServer

DATA = bytes(range(256)) * 40


@pytest.fixture
def api() -> Iterator[ExportApiServer]:
    files = [
        ExportFile(file_id=f"f{number}", name=f"{number}.zip", archive=Blob(DATA)) for number in range(5)
    ]
    files.append(
        ExportFile(
            file_id="plain", name="plain.zip", archive=Blob(DATA), honours_range=False, relative_url=True
        )
    )
    catalogue = Catalogue.of([Export("job", files), Export("later", [], status="running")])
    with ExportApiServer(catalogue, token="t", plan=faults.Script()) as server:
        yield server


def ask(api: ExportApiServer, target: str, *, method: str = "GET", **headers: str):
    connection = http.client.HTTPConnection(urlsplit(api.base_url).netloc, timeout=5)
    try:
        url = urlsplit(target)
        connection.request(
            method, f"{url.path}?{url.query}" if url.query else url.path,
            headers={"Authorization": "Bearer t"} | {k.replace("_", "-"): v for k, v in headers.items()},
        )  # fmt: skip
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def record(api: ExportApiServer, file_id: str) -> dict:
    return json.loads(ask(api, f"/v1/exports/job/files/{file_id}")[1])


def test_pages_list_every_file_once(api):
    cursor, names = "", []
    while cursor is not None:
        page = json.loads(ask(api, f"/v1/exports/job/files?limit=4&cursor={cursor}")[1])
        names += [file["file_id"] for file in page["files"]]
        cursor = page["next_cursor"]
    assert names == ["f0", "f1", "f2", "f3", "f4", "plain"]


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/v1/exports/job", {"Authorization": "Bearer other"}, 401),
        ("/v1/exports/nobody", {}, 404),
        ("/v1/exports/job/files/f9", {}, 404),
        ("/v1/exports/later/files", {}, 409),
        ("/v1/exports/job/files?cursor=%21", {}, 400),
        ("/download/job/f0.zip?expires=9999999999&signature=forged", {}, 403),
    ],
)
def test_refusals_are_problem_documents(api, target, headers, status):
    response, body = ask(api, target, **headers)
    assert response.status == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize(
    ("header", "first", "length"),
    [("bytes=10-19", 10, 10), ("bytes=-7", len(DATA) - 7, 7), ("bytes=10200-", 10200, 40)],
)
def test_ranges(api, header, first, length):
    response, body = ask(api, record(api, "f0")["download_url"], Range=header)
    assert response.status == 206
    assert response.headers["Content-Range"] == f"bytes {first}-{first + length - 1}/{len(DATA)}"
    assert body == DATA[first : first + length]


def test_a_range_outside_is_416_and_a_changed_archive_is_sent_whole(api):
    url = record(api, "f0")["download_url"]
    response, _ = ask(api, url, Range=f"bytes={len(DATA)}-")
    assert (response.status, response.headers["Content-Range"]) == (416, f"bytes */{len(DATA)}")
    response, body = ask(api, url, Range="bytes=0-9", If_Range='"another"')
    assert (response.status, body) == (200, DATA)
    etag = ask(api, url, method="HEAD")[0].headers["ETag"]
    api.plan.add(faults.ChangeETag(), kind="download")
    assert ask(api, url, Range="bytes=0-9", If_Range=etag)[0].status == 200


def test_an_archive_without_ranges_is_always_sent_whole(api):
    response, body = ask(api, record(api, "plain")["download_url"], Range="bytes=0-9")
    assert (response.status, body) == (200, DATA)
    assert "Accept-Ranges" not in response.headers


def test_head_has_headers_and_no_body(api):
    response, body = ask(api, record(api, "f1")["download_url"], method="HEAD")
    assert (response.headers["Content-Length"], body) == (str(len(DATA)), b"")


@pytest.mark.parametrize("reset", [True, False])
def test_a_broken_body_is_seen_by_the_client(api, reset):
    api.plan.add(faults.Break(100, reset=reset), kind="download")
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        ask(api, record(api, "f0")["download_url"])


@pytest.mark.parametrize("byte_range", [{}, {"Range": "bytes=100-4099"}])
def test_a_body_can_be_damaged_on_its_way(api, byte_range):
    whole = DATA[100:4100] if byte_range else DATA
    api.plan.add(faults.Damage(0.5), kind="download")
    api.plan.add(faults.Damage(0.5, zeros=True), kind="download")
    url = record(api, "f0")["download_url"]
    _, flipped = ask(api, url, **byte_range)
    assert [n for n in range(len(whole)) if flipped[n] != whole[n]] == [len(whole) // 2]
    assert ask(api, url, **byte_range)[1] == bytes(len(whole))
    assert ask(api, url, **byte_range)[1] == whole


def test_a_page_comes_instead_of_the_archive_and_a_link_runs_out_as_s3_says_it(api):
    api.plan.add(faults.WrongAnswer(200), kind="download")
    api.plan.add(faults.WrongAnswer(400, "It has expired.", code="ExpiredToken"), kind="download")
    url = record(api, "f0")["download_url"]
    response, body = ask(api, url)
    assert (response.status, response.headers["Content-Type"]) == (200, "text/html")
    assert body.startswith(b"<html>")
    response, body = ask(api, url)
    assert response.status == 400
    assert b"<Code>ExpiredToken</Code>" in body


def test_each_node_has_validators_of_its_own(api):
    url = record(api, "f0")["download_url"]
    for number in (1, 2):
        api.plan.add(faults.OtherNode(number), kind="download")
    first, second = (ask(api, url, method="HEAD")[0].headers for _ in range(2))
    assert first["ETag"] != second["ETag"]
    assert first["Last-Modified"] != second["Last-Modified"]
    api.plan.add(faults.OtherNode(1), kind="download", times=2)
    assert ask(api, url, Range="bytes=0-9", If_Range=first["ETag"])[0].status == 206
    assert ask(api, url, Range="bytes=0-9", If_Range=second["ETag"])[0].status == 200


def test_a_request_can_be_left_without_an_answer(api):
    api.plan.add(faults.Hang(0.01), kind="download")
    with pytest.raises(http.client.RemoteDisconnected):
        ask(api, record(api, "f0")["download_url"])


def test_seeded_faults_do_not_depend_on_the_order_of_other_files():
    requests = [faults.Request("download", "job", f"f{number % 7}") for number in range(200)]
    rates = dict.fromkeys(faults.FAULTS, 0.1)
    decided = []
    for order in (requests, sorted(requests, key=lambda request: request.file_id or "")):
        plan = faults.SeededFaults(seed=3, rates=rates)
        answers: dict[str | None, list] = {}
        for request in order:
            answers.setdefault(request.file_id, []).append(plan.decide(request))
        decided.append(answers)
    assert decided[0] == decided[1]
    assert any(decided[0].values())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("items=0-1", None),
        ("bytes=0-1,4-5", None),
        ("bytes=5-2", None),
        ("bytes=0-99", ServedRange(0, 10, 10)),
    ],
)
def test_headers_that_are_not_one_range_are_ignored(header, expected):
    assert parse_range(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0"])
def test_ranges_outside(header):
    with pytest.raises(NotSatisfiable):
        parse_range(header, 10)


def test_a_laid_out_zip_is_a_zip_and_every_range_of_it_agrees():
    members = [
        Member(
            name=f"m{number}",
            content=Content(f"c{number}", size),
            deflate=number % 2 == 0,
            descriptor=number % 3 == 0,
            zip64=number == 4,
        )
        for number, size in enumerate((0, 10, 200, 70_000, 1 << 20, (3 << 20) + 7))
    ]
    archive = LaidOutZip(members=members)
    data = b"".join(archive.stream(0, archive.size))
    assert len(data) == archive.size
    with zipfile.ZipFile(io.BytesIO(data)) as reader:
        for member in members:
            assert reader.read(member.name) == b"".join(member.content.pieces())
    rng = random.Random(1)
    for _ in range(50):
        offset, length = rng.randrange(archive.size), rng.randrange(1 << 20)
        assert b"".join(archive.stream(offset, length)) == data[offset : offset + length]
    content = members[-1].content
    assert content.read(60, 2 << 20) == b"".join(content.pieces())[60 : 60 + (2 << 20)]


def test_the_same_seed_generates_the_same_exports():
    first, second = generate("small", 5), generate("small", 5)
    assert first.entries == second.entries
    assert [file.archive.etag for export in first.catalogue.exports.values() for file in export.files] == [
        file.archive.etag for export in second.catalogue.exports.values() for file in export.files
    ]
