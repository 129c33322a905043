"""The runbook names only what exists: a person on call types what it says."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from typer.main import get_command

from ops.cli.app import app
from ops.reference.metrics import METRICS
from ops.reference.schemas import CONTRACTS, schema
from runtime.shared.contracts import EntryOutcome, MissingReason, ParkReason
from runtime.shared.events import DetailType
from tests.docs.pages import ROOT, code_words, shell

RUNBOOK = (ROOT / "docs/runbook.md").read_text()
QUOTED = re.compile(r'"([A-Z][^"{}\[\]]*)"')
LEVELS = {"WARNING", "ERROR"}
# What AWS calls things, and what it says of them.
AWS = {"AccessDenied", "unable to place"}
OBJECTS = re.compile(
    r"manifests/<export job id>/<file id>\.json|<file id>\.entries\.jsonl|#message:|rejected:…"
)


def strings(*rooms: str) -> Iterator[str]:
    """Every text in the code of these rooms, the fixed parts of formatted ones included."""
    for room in rooms:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


TEXTS = set(strings("runtime", "stacks"))


def templates() -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in (ROOT / "tests/golden").rglob("*.json")]
    assert found
    return [document["Template"] for document in found]


def outputs() -> set[str]:
    return {name for template in templates() for name in template.get("Outputs", {})}


def names() -> set[str]:
    """Every single word that may stand in the runbook, by what it is."""
    settings = json.loads((ROOT / "runtime/settings.schema.json").read_text())
    properties = [
        name
        for contract in CONTRACTS
        for described in (schema(contract), *schema(contract).get("$defs", {}).values())
        for name in described.get("properties", {})
    ]
    values = {
        node.target.id
        for path in (ROOT / "stacks/values").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    aws_metrics = {text for template in templates() for text in _metric_names(template)}
    bound = set(re.findall(r"logs\.(?:bind|unit_of_work)\(([^)]*)\)", _source("runtime")))
    log_keys = {key for arguments in bound for key in re.findall(r"(\w+)=", arguments)}
    item_keys = {
        str(item.get("const"))
        for contract in CONTRACTS
        if (item := schema(contract)["properties"].get("item", {}))
    }
    return {
        *METRICS, *aws_metrics, *EntryOutcome, *MissingReason, *ParkReason, *DetailType.__args__,  # type: ignore[attr-defined]
        *(name for service in settings.values() for name in service), *properties, *values, *log_keys,
        *item_keys, *outputs(), *LEVELS, *AWS,
    }  # fmt: skip


def _metric_names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("MetricName"), str):
            yield node["MetricName"]
        for value in node.values():
            yield from _metric_names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _metric_names(value)


def _source(room: str) -> str:
    return "\n".join(path.read_text() for path in (ROOT / room).rglob("*.py"))


NAMES = names()
APP = get_command(app)
OPERATORS = APP.commands.keys()  # type: ignore[attr-defined]


@pytest.mark.parametrize("word", sorted(set(code_words(RUNBOOK))))
def test_every_code_word_is_something(word: str) -> None:
    assert exists(word), f"`{word}` in docs/runbook.md is nothing that this project has"


def exists(word: str) -> bool:
    if word in NAMES or OBJECTS.fullmatch(word):
        return True
    if word.split(maxsplit=1)[0] in OPERATORS:
        return True
    if word.startswith(("aws ", "cdk ", "python -m ")):
        return all(map(_command_exists, re.findall(r"(?:^|\| )((?:aws|cdk|python) [^|]*)", word)))
    if word.startswith("{"):
        return set(json.loads(word)) <= NAMES
    if "/" in word and (ROOT / word).exists():
        return True
    if not re.search("[<…]", word):
        return word in TEXTS
    # Names that the code makes of parts: log groups and dashboards.
    parts = [part for part in re.split(r"<[^>]*>|…|/", word) if part.strip("-")]
    return all(any(part.strip("/-") in text for text in TEXTS if len(text) < 200) for part in parts)


def _command_exists(line: str) -> bool:
    tool, *arguments = line.split()
    if tool == "aws" and arguments[0] == "s3":
        return arguments[1] in {"cp", "ls"}
    if tool == "aws":
        model = botocore.session.get_session().get_service_model(arguments[0])
        return arguments[1] in {xform_name(name, "-") for name in model.operation_names}
    if tool == "cdk":
        return arguments[0] in {"deploy", "synth", "diff"}
    if arguments[1] == "ops":
        asked = arguments[2:]
        if asked[:1] == ["--env"]:
            asked = asked[2:]
        return asked == ["…"] or _operator_exists(APP, asked)
    return Path(ROOT / arguments[1].replace(".", "/")).exists() or _module(arguments[1])


def _operator_exists(command: Any, asked: list[str]) -> bool:
    """Whether the words are a command of it with options that it has."""
    if commands := getattr(command, "commands", None):
        return bool(asked) and asked[0] in commands and _operator_exists(commands[asked[0]], asked[1:])
    options = {option for parameter in command.params for option in parameter.opts}
    return {word for word in asked if word.startswith("--")} <= options


def _module(name: str) -> bool:
    return (ROOT / name.replace(".", "/")).with_suffix(".py").exists()


def test_commands_in_blocks_use_outputs_that_exist() -> None:
    asked = set(re.findall(r"\$\(out \w+ (\w+)\)", RUNBOOK)) | set(
        re.findall(r"or (\w+Dlq\w+)", shell(RUNBOOK))
    )
    assert asked
    assert asked <= outputs()


@pytest.mark.parametrize(
    "title", sorted(set(QUOTED.findall(re.sub(r"`[^`]*`|```.*?```", "", RUNBOOK, flags=re.DOTALL))))
)
def test_what_is_quoted_is_really_written(title: str) -> None:
    for part in " ".join(title.split()).split("…"):
        assert not part.strip() or any(part.strip() in text for text in TEXTS), f'"{title}"'


@pytest.mark.parametrize(
    "word",
    [
        "download_progress",
        "receive_count",
        "encrypted-files",
        "DownloadTasksDeadArn",
        "python -m ops --env prod dlq purge",
        "python -m ops --env prod dlq drop --force",
        "python -m ops --env prod dlq",
    ],
)
def test_what_does_not_exist_is_found(word: str) -> None:
    assert not exists(word)
