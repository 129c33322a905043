"""Credentials where anybody who may describe a resource reads them: in a template, a variable, a command."""

import re
from collections.abc import Iterator
from typing import Any

from ops.assembly.tokens import text_of
from ops.gate.model import ChangeKind, Finding
from ops.gate.rules.comparison import Comparison
from ops.gate.rules.values import is_intrinsic, nodes

# Forms that nothing but a credential has.
_FORMS = re.compile(
    r"""\b(?:AKIA|ASIA)[0-9A-Z]{16}\b
      | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----
      | \bgh[pousr]_[0-9A-Za-z]{36,}
      | \bxox[abprs]-[0-9A-Za-z-]{10,}
      | \beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+
      | ://[^/\s:@]+:[^/\s:@$]+@
    """,
    re.VERBOSE,
)
# What a deployment would write out in full.
_RESOLVED = re.compile(r"\{\{resolve:(secretsmanager|ssm-secure):")
_NAMED = re.compile(
    r"(pass(word|wd|phrase)|secret|token|api_?key|private_?key|access_?key|credentials?)", re.IGNORECASE
)
# Names that only speak of a secret: where it is, how long it is kept, which one.
_ABOUT = re.compile(
    r"(_|^)(arn|id|name|names|url|uri|path|header|scheme|type|ttl|s|seconds|bytes|version|refresh|fields?)$",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r"(arn:\S+|[\d.]+|true|false|https?://\S+|\$\{[^}]*\}|)", re.IGNORECASE)
_SECRET_OWN = ("AWS::SecretsManager::Secret", "AWS::SecretsManager::SecretTargetAttachment")


def plain_secret_findings(comparison: Comparison) -> Iterator[Finding]:
    """New or changed values that are, or are called, a credential; the value itself is not repeated."""
    for change in comparison.changes:
        if change.after is None:
            continue
        before = dict(nodes(change.before.properties)) if change.before else {}
        for path, value in nodes(change.after.properties):
            if before.get(path) == value or isinstance(value, list) or _has_parts(value):
                continue
            if _FORMS.search(text_of(value)) or _is_plain(path, value):
                yield comparison.finding(
                    change.after,
                    ChangeKind.SECRET_IN_PLAIN,
                    f"{path} is a credential in plain text: name a secret instead",
                )
            elif _RESOLVED.search(text_of(value)) and change.after.type not in _SECRET_OWN:
                yield comparison.finding(
                    change.after,
                    ChangeKind.SECRET_IN_PLAIN,
                    f"{path} writes a secret's value out at deployment: let the service read it",
                )


def _has_parts(value: Any) -> bool:
    return isinstance(value, dict) and not is_intrinsic(value)


def _is_plain(path: str, value: Any) -> bool:
    """A variable that is called like a credential and has a value of its own; or a secret's literal value."""
    if is_intrinsic(value) or _HARMLESS.fullmatch(str(value)):
        return False
    parts = path.split(".")
    if parts[-1] == "SecretString":
        return True
    # ECS writes variables as {Name, Value}, Lambda and CodeBuild as name: value.
    if "Environment" in parts or "EnvironmentVariables" in parts:
        name = parts[-2] if parts[-1] == "Value" else parts[-1]
        return parts[-1] != "Name" and bool(_NAMED.search(name)) and not _ABOUT.search(name)
    return parts[-1] in ("MasterUserPassword", "Password", "AuthToken", "SecretAccessKey")
