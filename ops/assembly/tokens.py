"""CloudFormation values as comparable text: intrinsics become `${...}` tokens inside ordinary strings.

`{"Fn::Join": ["", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "/exports/*"]]}` reads `${Bucket.Arn}/exports/*`.
Two values that read the same are the same; two that read differently may still resolve to one value,
and the callers treat those as different.
"""

import json
from collections.abc import Iterator
from typing import Any

_PAIR = 2
# A wildcard or brace inside a token's own text must not be read as the pattern's.
_INSIDE_A_TOKEN = str.maketrans({"*": "%2A", "?": "%3F", "{": "%7B", "}": "%7D"})


def text_of(value: Any) -> str:
    """The value as one string. Never raises: what is not understood becomes a token of its own."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict) and len(value) == 1:
        function, argument = next(iter(value.items()))
        known = _intrinsic(function, argument)
        if known is not None:
            return known
    if isinstance(value, dict | list):
        return "${" + json.dumps(value, sort_keys=True).translate(_INSIDE_A_TOKEN) + "}"
    return str(value)


def texts_of(value: Any) -> list[str]:
    """A value that may be one or a list, as a list of strings; an absent one is empty."""
    if value is None:
        return []
    return [text_of(item) for item in value] if isinstance(value, list) else [text_of(value)]


def references(value: Any) -> Iterator[str]:
    """The logical ids that a value refers to by Ref, Fn::GetAtt or Fn::Sub."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item
            elif key == "Fn::GetAtt":
                yield item.split(".")[0] if isinstance(item, str) else str(item[0])
            elif key == "Fn::Sub":
                template = item if isinstance(item, str) else item[0]
                yield from (part.split("}")[0].split(".")[0] for part in template.split("${")[1:])
            yield from references(item)


def _intrinsic(function: str, argument: Any) -> str | None:
    if function == "Ref":
        return "${" + str(argument) + "}"
    if function == "Fn::GetAtt":
        return "${" + (argument if isinstance(argument, str) else ".".join(map(str, argument))) + "}"
    if function == "Fn::Join" and isinstance(argument, list) and len(argument) == _PAIR:
        separator, parts = argument
        return str(separator).join(map(text_of, parts)) if isinstance(parts, list) else None
    if function == "Fn::Sub" and isinstance(argument, str):
        return argument
    return None
