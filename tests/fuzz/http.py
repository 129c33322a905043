"""The long, coverage-guided campaign against the HTTP/1.1 connection: `make fuzz`, bounded by FUZZ_S.

It begins with well-framed answers and changes bytes; h11 is the oracle, as in the hypothesis test: both
understand the same, or both refuse. A finding is written to .local/fuzz and ends it.

    python -m tests.fuzz.http SECONDS
    python -m tests.fuzz.http FINDING      # once more, with the traceback
"""

import sys
from pathlib import Path

import atheris

# What is imported before is not instrumented, and an import of the tests brings the connection along.
with atheris.instrument_imports(include=["runtime.shared.http"]):
    from tests.unit.shared.http.oracle import check

WORK = Path(".local/fuzz")
SEEDS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc",
    (
        b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 206 Part\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: 1\r\n\r\n"
    ),
    b"HTTP/1.0 200 OK\r\nX: folded\r\n over\r\n\r\nuntil close",
)


def change_bytes(data: bytes) -> None:
    check(data, head=len(data) % 5 == 0, room=1 + len(data) % 11)


def main() -> None:
    (argument,) = sys.argv[1:]
    if not argument.isdecimal():
        change_bytes(Path(argument).read_bytes())
        return
    found = WORK / "http"
    found.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (found / f"seed-{number}").write_bytes(seed)
    options = [
        str(found),
        f"-max_total_time={argument}",
        "-max_len=1024",
        "-timeout=20",  # a hang is a finding
        "-rss_limit_mb=1024",  # and so is memory
        f"-artifact_prefix={WORK}/http-",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options], change_bytes)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
