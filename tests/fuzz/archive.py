"""The long, coverage-guided campaign against the archive reader: `make fuzz`, bounded by FUZZ_S.

`bytes` begins with the corpus and changes bytes; `parts` puts archives together from odd parts, as the
hypothesis test of that name does, but led by what the reader's code has not done yet. Both ask for the same:
what `tests.archives.hostile` says must hold for any input. A finding is written to .local/fuzz and ends it.

    python -m tests.fuzz.archive bytes|parts SECONDS
    python -m tests.fuzz.archive bytes|parts FINDING      # once more, with the traceback
"""

import shutil
import sys
from pathlib import Path

import atheris

# What is imported before is not instrumented, and an import of the tests brings the reader along.
with atheris.instrument_imports(include=["runtime.worker.archive"]):
    from tests.archives.build import CORPUS
    from tests.archives.hostile import check
    from tests.archives.test_hostile import test_an_archive_put_together_from_odd_parts as put_together

WORK = Path(".local/fuzz")


def change_bytes(data: bytes) -> None:
    check(data, piece=1 + len(data) % 200)


def put_parts_together(data: bytes) -> None:
    put_together.hypothesis.fuzz_one_input(data)  # type: ignore[attr-defined]


TARGETS = {"bytes": change_bytes, "parts": put_parts_together}


def main() -> None:
    target, argument = sys.argv[1:]
    if not argument.isdecimal():
        TARGETS[target](Path(argument).read_bytes())
        return
    found = WORK / target
    found.mkdir(parents=True, exist_ok=True)
    if target == "bytes":
        for path in CORPUS.iterdir():
            shutil.copy(path, found / path.name)
    options = [
        str(found),
        f"-max_total_time={argument}",
        "-max_len=8192",
        "-timeout=20",  # a hang is a finding
        "-rss_limit_mb=1024",  # and so is memory
        f"-artifact_prefix={WORK}/{target}-",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
