"""The benchmark itself: every program sends every byte, and one that does not is found out."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.archives import Archive, Shape, prepare
from benchmarks.measure import Bench, WrongOutput
from benchmarks.programs import LIMIT, OURS, PEERS, programs
from benchmarks.services import service

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the sink and the server use epoll and sendfile"
)

# Some entries of more than one part, many small ones, and some that nobody wants.
SHAPES = (
    Shape("few", entries=2, entry_bytes=9_000_000),
    Shape("many", entries=60, entry_bytes=10_000, wanted_every=3),
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("bench")
    with service("benchmarks.server", str(directory)) as server, service("benchmarks.sink") as sink:
        yield Bench(server, sink, directory)


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
    for archive in archives:
        run = bench.run(commands[name], archive)
        assert run.output_bytes == archive.wanted_bytes
        assert run.bytes_fetched >= archive.wanted_compressed_bytes


def test_slow_downloads_all_get_on(
    bench: Bench, archives: list[Archive], commands: dict[str, list[str]]
) -> None:
    run = bench.run(commands[OURS], archives[1], slow_lanes=4)
    assert run.output_bytes == 4 * archives[1].wanted_bytes
    assert run.half_way is not None


CHEATS = {
    "sends-nothing": ("pass", "never arrived"),
    "sends-zeros": ("put(entry.path, bytes(entry.size))", "not as they should be"),
    "sends-what-nobody-wants": ("put('x', b'x')", "no such object"),
}

CHEAT = """
import sys, http.client
from pathlib import Path
from benchmarks.archives import load
from benchmarks.job import Job, say_done, wait_for_start
job = Job.read()
def put(path, body):
    connection = http.client.HTTPConnection(job.endpoint.removeprefix("http://"))
    connection.request("PUT", f"/{{job.bucket}}/exports/{{job.exports[0].export_job_id}}/{{path}}", body)
    connection.getresponse().read()
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
        bench.run([sys.executable, "-c", f"exec(open({str(program)!r}).read())"], archives[1])
