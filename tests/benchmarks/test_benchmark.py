"""The benchmark itself: every program sends every byte, and one that does not is found out."""

import json
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.archives import Archive, Shape, prepare
from benchmarks.measure import Bench, WrongOutput
from benchmarks.programs import LIMIT, OURS, PEERS, programs
from benchmarks.report import Campaign, machine, markdown
from benchmarks.services import services

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the sink and the server use epoll and sendfile"
)

# Some entries of more than one part, many small ones, and some that nobody wants.
SHAPES = (
    Shape(name="few", entries=2, entry_bytes=9_000_000),
    Shape(name="many", entries=60, entry_bytes=10_000, wanted_every=3),
)


SLOW = Shape(name="slow", entries=20, entry_bytes=200_000, lanes=4, bytes_per_s=1_500_000)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("bench")
    with services(directory, directory, tls=True) as running:
        yield Bench(running, directory)


@pytest.fixture(scope="module")
def archives(bench: Bench) -> list[Archive]:
    return [prepare(shape, 1, bench.directory) for shape in SHAPES]


@pytest.fixture(scope="module")
def commands() -> dict[str, list[str]]:
    return {name: list(command) for name, command in programs().items()}


@pytest.mark.parametrize("name", [OURS, *PEERS, LIMIT])
def test_every_program_sends_every_wanted_byte(
    bench: Bench, archives: list[Archive], commands: dict[str, list[str]], name: str
) -> None:
    if name not in commands:
        pytest.skip("the Node peer cannot be installed here")
    for archive, shape in zip(archives, SHAPES, strict=True):
        run = bench.run(commands[name], archive, shape)
        assert run.output_bytes == archive.wanted_bytes
        assert run.bytes_fetched >= archive.wanted_compressed_bytes


@pytest.mark.parametrize("shape", [SHAPES[1], SLOW], ids=lambda shape: shape.name)
def test_plain_http_is_an_option(tmp_path: Path, commands: dict[str, list[str]], shape: Shape) -> None:
    archive = prepare(shape, 1, tmp_path)
    with services(tmp_path, tmp_path, tls=False) as running:
        run = Bench(running, tmp_path).run(commands[OURS], archive, shape)
    assert run.output_bytes == archive.wanted_bytes * (shape.lanes or 1)


def test_slow_downloads_are_offered_their_rate_and_no_more(
    bench: Bench, commands: dict[str, list[str]]
) -> None:
    archive = prepare(SLOW, 1, bench.directory)
    run = bench.run(commands[OURS], archive, SLOW)
    assert run.output_bytes == SLOW.lanes * archive.wanted_bytes
    assert run.paced is not None
    assert 0 < run.paced.share_slowest <= run.paced.share_median <= 1
    assert run.seconds >= archive.file.stat().st_size / SLOW.bytes_per_s
    assert 0 < run.paced.pacing_cpu_s < run.harness_cpu_s


SLEEPY = """
import io, time, urllib.request, zipfile
from concurrent.futures import ThreadPoolExecutor
from benchmarks.job import Job, say_done, wait_for_start
job = Job.read()
wait_for_start()
def send(export):
    with urllib.request.urlopen(export.url) as response:
        start = response.read(1)
        time.sleep(3 if export is job.exports[0] else 0)
        archive = zipfile.ZipFile(io.BytesIO(start + response.read()))
    for name in archive.namelist():
        target = f"{job.endpoint}/{job.bucket}/exports/{export.export_job_id}/{name}"
        urllib.request.urlopen(urllib.request.Request(target, archive.read(name), method="PUT")).close()
with ThreadPoolExecutor(len(job.exports)) as pool:
    list(pool.map(send, job.exports))
say_done()
"""


def test_a_reader_that_stops_for_a_while_is_seen_in_its_share(bench: Bench, tmp_path: Path) -> None:
    program = tmp_path / "sleepy.py"
    program.write_text(SLEEPY)
    run = bench.run(_command(program), prepare(SLOW, 1, bench.directory), SLOW)
    assert run.paced is not None
    assert run.paced.share_slowest < min(0.5, run.paced.share_median)


def test_the_tables_are_made_of_the_json(bench: Bench, archives, commands, tmp_path: Path) -> None:
    slow = bench.run(commands[OURS], prepare(SLOW, 1, bench.directory), SLOW)
    fast = bench.run(commands[OURS], archives[1], SHAPES[1])
    campaign = Campaign(
        machine=machine(),
        scale=1,
        tls=bench.services.certificates is not None,
        wanted_bytes={"many": archives[1].wanted_compressed_bytes},
        runs={"many": {OURS: [fast]}, "slow": {OURS: [slow]}},
    )
    campaign.write(tmp_path)
    medians = json.loads((tmp_path / "worker.json").read_text())
    assert medians["slow"][OURS].keys() == {"share_slowest", "share_median", "peak_rss_mb", "vcpu"}
    assert medians["many"][OURS].keys() == {"mb_per_s", "cpu_s_per_gb", "peak_rss_mb", "bytes_fetched"}
    assert list(markdown(Campaign.read(tmp_path))) == list(markdown(campaign))
    assert f"Python {platform.python_version()}" in next(markdown(campaign))


CHEATS = {
    "sends-nothing": ("pass", "never arrived"),
    "sends-zeros": ("put(entry.path, bytes(entry.size))", "not as they should be"),
    "sends-what-nobody-wants": ("put('x', b'x')", "no such object"),
}

CHEAT = """
import urllib.request
from pathlib import Path
from benchmarks.archives import load
from benchmarks.job import Job, say_done, wait_for_start
job = Job.read()
def put(path, body):
    target = f"{{job.endpoint}}/{{job.bucket}}/exports/{{job.exports[0].export_job_id}}/{{path}}"
    urllib.request.urlopen(urllib.request.Request(target, body, method="PUT")).close()
wait_for_start()
for entry in load(Path(job.archive)):
    if entry.wanted:
        {deed}
say_done()
"""


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_program_that_does_not_send_what_it_should_is_found_out(
    bench: Bench, archives: list[Archive], tmp_path: Path, cheat: str
) -> None:
    deed, verdict = CHEATS[cheat]
    program = tmp_path / "cheat.py"
    program.write_text(CHEAT.format(deed=deed))
    with pytest.raises(WrongOutput, match=verdict):
        bench.run(_command(program), archives[1], SHAPES[1])


def _command(program: Path) -> list[str]:
    """Run from the checkout, so that it can import the benchmark."""
    return [sys.executable, "-c", f"exec(open({str(program)!r}).read(), {{}})"]
