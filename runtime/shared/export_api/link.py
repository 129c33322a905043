"""The next page in a `Link` header, by RFC 8288.

A header that is not of that grammar is an error and never the end of a listing: files would be lost.
"""

import re

from runtime.shared.export_api.errors import InvalidAnswer

# RFC 8288, section 3; RFC 9110, section 5.6.
_SEPARATORS = re.compile(r"[ \t,]*")
_TARGET = re.compile(r"<([^<>]*)>[ \t]*")
_PARAMETER = re.compile(
    r""";[ \t]*
        (?: (?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+) [ \t]*
            (?: =[ \t]* (?: "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<token>[^\s;,"<>]*) ) [ \t]* )?
        )?""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def next_link(header: str) -> tuple[str, str | None] | None:
    """The target whose relations include `next`, and its `anchor`; None when no link has it.

    Raises InvalidAnswer when the header cannot be read or names two different next pages.
    """
    found: dict[tuple[str, str | None], None] = {}
    position = _end_of(_SEPARATORS, header, 0)
    while position < len(header):
        target = _TARGET.match(header, position)
        if target is None:
            raise InvalidAnswer("the Link header is not of RFC 8288's form")
        position, parameters = _parameters(header, target.end())
        relations = parameters.get("rel", "").strip("'").lower().split()
        if "next" in relations:
            found[target[1].strip(), parameters.get("anchor")] = None
        if position < len(header) and header[position] != ",":
            raise InvalidAnswer("the Link header is not of RFC 8288's form")
        position = _end_of(_SEPARATORS, header, position)
    if len(found) > 1:
        raise InvalidAnswer("the Link header names two different next pages")
    return next(iter(found), None)


def _parameters(header: str, position: int) -> tuple[int, dict[str, str]]:
    """The parameters from `position` on, and where they end; of a repeated one the first counts."""
    parameters: dict[str, str] = {}
    while found := _PARAMETER.match(header, position):
        position = found.end()
        if found["name"]:
            quoted, token = found["quoted"], found["token"]
            value = _ESCAPED.sub(r"\1", quoted) if quoted is not None else token or ""
            parameters.setdefault(found["name"].lower(), value)
    return position, parameters


def _end_of(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position
