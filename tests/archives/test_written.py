"""What real writers wrote is read, to the last byte: `written/README.md` says which."""

from pathlib import Path

import pytest

from tests.archives.cases import FOLDER, READ
from tests.archives.examine import Finding, examine

WRITTEN = sorted((Path(__file__).parent / "written").glob("*.zip"))
STOPS = b"".join(b"stop %d,%d\n" % (number, number * number) for number in range(200))
AGENCY = b"a,b\n1,2\n3,4\n"
WISHES = ("h\u00e9llo\n" * 20).encode()
FILES = {"agency.txt": AGENCY, "empty.txt": b"", "data/stops.txt": STOPS, "data/gr\u00fc\u00dfe.txt": WISHES}
# What single writers were given besides, or instead.
MORE = {"streamed.txt": AGENCY, "stored.txt": b"stored", "bytes.txt": b"x" * 10}
ALONE = {
    "7zip-stdin": {"x": AGENCY},
    "infozip-stdin": {"-": STOPS},
    "infozip-stdin-pipe": {"-": AGENCY},
    "minizip": {name: data for name, data in FILES.items() if name.isascii()},
}
REFUSED = {"7zip-aes": "encrypted", "7zip-ppmd": "unsupported-method"}


def found_in(path: Path) -> list[Finding]:
    found = examine(path.read_bytes(), piece=1_000)
    assert isinstance(found, list), found
    return found


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_every_file_is_read(path: Path) -> None:
    found = found_in(path)
    if path.stem in REFUSED:
        assert REFUSED[path.stem] in {one.outcome for one in found} <= {READ, FOLDER, REFUSED[path.stem]}
        return
    files = {one.entry.name: one.data for one in found if one.outcome != FOLDER}
    assert {one.outcome for one in found} <= {READ, FOLDER}, [one.detail for one in found]
    manifest = {name for name in files if name.startswith("META-INF/")}
    due = ALONE.get(path.stem, FILES)
    allowed = {**due, **MORE}
    assert due.keys() <= files.keys() - manifest <= allowed.keys()
    for name in files.keys() - manifest:
        assert files[name] == allowed[name], name


def test_the_list_is_complete() -> None:
    readme = (Path(__file__).parent / "written" / "README.md").read_text()
    patterns = [word.strip("`") for word in readme.split() if word.startswith("`")]
    for path in WRITTEN:
        assert any(path.match(f"{pattern.rstrip('`,')}.zip") for pattern in patterns), path.name
