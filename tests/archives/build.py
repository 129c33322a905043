"""Write the corpus and its README from the cases: `python -m tests.archives.build`."""

from pathlib import Path

from runtime.shared.contracts import ParkReason
from tests.archives.cases import GROUPS, Case

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
README = HERE / "README.md"

_INTRODUCTION = """\
# Archives, one per rule

Each file in `corpus/` is the smallest archive that meets one rule of the reader in
`runtime/worker/archive`. The files and this page are written by `python -m tests.archives.build` from the
cases in `cases/`, always byte for byte the same; `test_corpus.py` reads every one and holds it to its
outcome, both as it would arrive from the network and in one call.

The outcome is given for each entry in the directory's order. **read**: its bytes are returned, with length
and CRC-32 checked. **folder**, **repeated**: passed over. Anything else is the outcome in the entries
manifest, and the other entries are read all the same. **noted**: the manifest, or the entry's line in it,
says what is unusual. **parked** goes for the whole archive: the task goes to the dead-letter queue with that
reason. Sections are those of PKWARE's APPNOTE.TXT 6.3.10; "-" marks a rule of our own.
"""


def path_of(case: Case) -> Path:
    return CORPUS / f"{case.file}.zip"


def readme() -> str:
    lines = [_INTRODUCTION]
    for title, cases in GROUPS.items():
        lines += [
            f"## {title} ({len(cases)})",
            "",
            "| file | section | rule | outcome |",
            "|---|---|---|---|",
        ]
        for case in cases:
            lines.append(f"| `{case.file}` | {case.section} | {case.rule} | {_outcome(case)} |")
        lines.append("")
    return "\n".join(lines)


def _outcome(case: Case) -> str:
    if isinstance(case.expected, ParkReason):
        return f"parked: {case.expected}"
    outcome = ", ".join(case.expected) or "no entries"
    return f"{outcome}; noted" if case.noted else outcome


def main() -> None:
    CORPUS.mkdir(exist_ok=True)
    wanted = {path_of(case): case.content for groups in GROUPS.values() for case in groups}
    for stale in set(CORPUS.iterdir()) - set(wanted):
        stale.unlink()
    for path, content in wanted.items():
        path.write_bytes(content)
    README.write_text(readme())


if __name__ == "__main__":
    main()
