"""Names: the form they are brought to, which may become part of an S3 key, and which two are one.

A name has one safe normal form: "/" between its segments, no segment that is empty or ".", no root. Writers
that archive ".", an absolute path or a Windows folder mean just that by "./a", "/a", "b//a" and "b\\a". What
would lead elsewhere has none and is refused: "..", a drive, another machine ("\\\\host\\share").

S3 and DynamoDB compare names byte by byte, so "A.txt" and "a.txt" are two objects, neither overwrites the
other, and both are published. Names that have one normal form are one key; names that are equal in
Unicode's normal form C look alike to every reader and become one file on systems that normalise. Of such
names, and of exact duplicates, none is published: nothing says which of them is meant.
"""

import re
import unicodedata

from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive.limits import Limits

_CLIMBS = re.compile(r"(?:\A|/)\.\.(?:/|\Z)")
_EMPTY_SEGMENT = re.compile(r"(?:\A|/)\.?(?=/|\Z)")
_DRIVE = re.compile(r"\A[A-Za-z]:")
# Control characters, line separators, and those that reverse the direction in which a name is shown.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def normal(name: str) -> str:
    """The name in its normal form, which for the folder that was archived ("./") is "/"."""
    if name.startswith("\\\\"):
        return name.replace("\\", "/")  # stays absolute: it names another machine
    name = name.replace("\\", "/")
    # Cheap tests that pass nearly every name.
    if not ("//" in name or "/." in name or name[:1] in ("/", ".")):
        return name
    kept = "/".join(segment for segment in name.split("/") if segment not in ("", "."))
    return kept + "/" if name.endswith(("/", "/.")) else kept


def unsafe(name: str, limits: Limits) -> tuple[EntryOutcome, str] | None:
    """The outcome and reason for a name that must not be published, or None. A folder's last "/" is fine."""
    # Cheap tests that pass nearly every name; the expressions cost several times as much.
    suspect = (
        "/." in name
        or "//" in name
        or name[:1] in ("", "/", ".")
        or name[1:2] == ":"
        or not (name.isascii() and name.isprintable())
    )
    if suspect and (text := _fault(name[:-1] if len(name) > 1 and name[-1] == "/" else name)):
        return EntryOutcome.UNSAFE_NAME, text
    length = len(name) if name.isascii() else len(name.encode())
    if length > limits.max_name_bytes:
        return (
            EntryOutcome.LIMIT_EXCEEDED,
            f"a name of {length} bytes, over the limit of {limits.max_name_bytes}",
        )
    if (depth := name.count("/")) > limits.max_depth:
        return EntryOutcome.LIMIT_EXCEEDED, f"{depth} folders deep, over the limit of {limits.max_depth}"
    return None


def _fault(name: str) -> str | None:
    if not name:
        return "an empty name"
    if name[0] == "/":
        return "an absolute path"
    if _DRIVE.search(name):
        return "a path with a drive letter"
    if _CLIMBS.search(name):
        return 'a path that climbs with ".."'
    if _EMPTY_SEGMENT.search(name):
        return 'an empty or "." segment in the path'
    if "\ufffd" in name:
        return "a name that is not valid UTF-8"
    if found := _CONTROL.search(name):
        return f"a control character (U+{ord(found[0]):04X}) in the name"
    return None


def identity(name: str) -> str:
    """Names with the same identity would overwrite each other."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
