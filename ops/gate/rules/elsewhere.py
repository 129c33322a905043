"""The flows that go elsewhere from now on: another account, another domain, another region's endpoint.

A dead-letter queue, a key, a replica, a subscription, a log destination, an image: whatever the property is
called, an account that was not named before is named now.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ops.assembly.model import Resource
from ops.assembly.tokens import text_of
from ops.gate.model import ChangeKind, Finding
from ops.gate.rules.comparison import Comparison
from ops.gate.rules.values import nodes

_ACCOUNT = re.compile(
    r"""arn:[^:]*:[^:]*:[^:]*:(\d{12}):           # an ARN
      | https://sqs\.[^/]+/(\d{12})/              # a queue's URL
      | (?<!\d)(\d{12})\.dkr\.ecr\.               # an image
      | ^(\d{12})$                                # an account by itself
    """,
    re.VERBOSE,
)


# What only a deployment knows; a pseudo-parameter's name has colons of its own.
_TOKEN = re.compile(r"\$\{[^}]*\}")


def elsewhere_findings(comparison: Comparison) -> Iterator[Finding]:
    """Accounts and addresses that a resource names after the change and did not before."""
    own = comparison.after.account
    for change in comparison.changes:
        if change.after is None:
            continue
        known = {own} | (_accounts(change.before) if change.before else _accounts_of_all(comparison))
        if change.before and comparison.before and comparison.before.account != own:
            known.add(comparison.before.account)
        for path, account in sorted(_accounts_at(change.after)):
            if account not in known:
                yield comparison.finding(
                    change.after,
                    ChangeKind.SENT_ELSEWHERE,
                    f"{path} names the account {account}, which it did not before",
                )
        if change.after.type == "AWS::SNS::Subscription":
            yield from _subscription(comparison, change.before, change.after)


def _subscription(comparison: Comparison, before: Resource | None, after: Resource) -> Iterator[Finding]:
    known = {
        _home(resource)
        for stack in comparison.neighbours_before.values()
        for resource in stack.of_type("AWS::SNS::Subscription")
    } | ({_home(before)} if before else set())
    if (home := _home(after)) and known and home not in known:
        yield comparison.finding(
            after,
            ChangeKind.SENT_ELSEWHERE,
            f"Endpoint sends what is published to {home}, as nothing did before",
        )


def _home(subscription: Resource) -> str:
    """Whose an endpoint is: a domain; empty for an ARN, whose account is seen to elsewhere."""
    endpoint = text_of(subscription.properties.get("Endpoint", ""))
    if "@" in endpoint:
        return endpoint.rpartition("@")[2].lower()
    return urlsplit(endpoint).hostname or "" if endpoint.startswith("http") else ""


def _accounts_of_all(comparison: Comparison) -> set[str]:
    return {
        account
        for stack in comparison.neighbours_before.values()
        for resource in stack.resources.values()
        for account in _accounts(resource)
    }


def _accounts(resource: Resource) -> set[str]:
    return {account for _, account in _accounts_at(resource)}


def _accounts_at(resource: Resource) -> set[tuple[str, str]]:
    return {
        (path, account)
        for path, value in nodes(resource.properties)
        if _is_text(value)
        for match in _ACCOUNT.finditer(_TOKEN.sub("token", text_of(value)))
        for account in match.groups()
        if account
    }


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int) or (isinstance(value, dict) and len(value) == 1)
