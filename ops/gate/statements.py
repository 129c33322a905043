"""IAM policy statements compared by what they allow, not by how they are written.

A statement is the product of its principals, actions, resources and conditions. `broadenings` says what a
policy allows after a change that it did not allow before: an Allow that no single earlier Allow covers, or
a Deny that no single later Deny covers. It errs to the safe side: when several earlier statements only
together cover a new one, it still reports it. (Property tests hold it to a brute-force evaluation.)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from ops.assembly.tokens import text_of, texts_of
from ops.gate.patterns import ANY, covers, may_meet

# An identity policy's statements name no principal: the identity it hangs on is the principal.
_SELF = ("self", ANY)
_NEGATIVE = ("stringnot", "arnnot", "numericnot", "datenot", "notipaddress")
_LIKE = ("stringlike", "arnlike", "arnequals", "stringnotlike", "arnnotlike", "arnnotequals")

Principal = tuple[str, str]
Conditions = dict[tuple[str, str], tuple[str, ...]]


@dataclass(frozen=True)
class StatementScope:
    """Actions, resources or principals: those named, or (inverted) all but those named."""

    items: tuple[Any, ...]
    inverted: bool = False


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One normalised statement: action names in lower case, single values as tuples, no Sid."""

    effect: str
    principals: StatementScope
    actions: StatementScope
    resources: StatementScope
    conditions: tuple[tuple[tuple[str, str], tuple[str, ...]], ...]

    def describe(self) -> str:
        """The statement as one line for a reviewer."""
        parts = [self.effect, _named(self.actions), "on", _named(self.resources)]
        if self.principals.items != (_SELF,):
            parts += ["for", _named(self.principals)]
        if self.conditions:
            parts.append("if " + " and ".join(f"{op} {key} {list(v)}" for (op, key), v in self.conditions))
        return " ".join(parts)


def opaque(effect: str, text: str) -> Statement:
    """A statement that cannot be read, kept as its text: only itself (or everything) covers it."""
    return Statement(
        effect=effect,
        principals=StatementScope((_SELF,)),
        actions=StatementScope((text,)),
        resources=StatementScope((ANY,)),
        conditions=(),
    )


def parse_statements(document: Any) -> list[Statement]:
    """The statements of a policy document; one that cannot be read is taken as an opaque Allow."""
    if not isinstance(document, dict) or "Statement" not in document:
        return [opaque("Allow", text_of(document))]
    listed = document["Statement"]
    return [
        _statement(body) if isinstance(body, dict) and "Effect" in body else opaque("Allow", text_of(body))
        for body in (listed if isinstance(listed, list) else [listed])
    ]


def broadenings(before: Iterable[Statement], after: Iterable[Statement]) -> list[str]:
    """Sentences about what `after` allows and `before` did not; empty when nothing is certain to be wider."""
    before, after = list(before), list(after)
    found = [
        f"now allowed: {statement.describe()}"
        for statement in _not_covered(_of(after, "Allow"), _of(before, "Allow"))
    ]
    found += [
        f"no longer denied: {statement.describe()}"
        for statement in _not_covered(_of(before, "Deny"), _of(after, "Deny"))
    ]
    return found


def _of(statements: list[Statement], effect: str) -> list[Statement]:
    return [statement for statement in statements if statement.effect == effect]


def _not_covered(wanted: list[Statement], by: list[Statement]) -> Iterator[Statement]:
    for statement in wanted:
        loose = [unit for unit in _units(statement) if not any(_covers(other, unit) for other in by)]
        yield from _joined(loose)


def _units(statement: Statement) -> Iterator[Statement]:
    scopes = (statement.principals, statement.actions, statement.resources)
    choices = [
        [scope] if scope.inverted else [StatementScope((item,)) for item in scope.items] for scope in scopes
    ]
    for principals, actions, resources in product(*choices):
        yield Statement(
            effect=statement.effect,
            principals=principals,
            actions=actions,
            resources=resources,
            conditions=statement.conditions,
        )


def _joined(units: list[Statement]) -> Iterator[Statement]:
    """The units as few statements that say exactly the same."""
    by_resource: dict[tuple[StatementScope, StatementScope], list[StatementScope]] = {}
    for unit in units:
        by_resource.setdefault((unit.principals, unit.resources), []).append(unit.actions)
    by_actions: dict[tuple[StatementScope, StatementScope], list[StatementScope]] = {}
    for (principals, resources), actions in by_resource.items():
        by_actions.setdefault((principals, _union(actions)), []).append(resources)
    for (principals, action), scopes in by_actions.items():
        yield Statement(
            effect=units[0].effect,
            principals=principals,
            actions=action,
            resources=_union(scopes),
            conditions=units[0].conditions,
        )


def _union(scopes: list[StatementScope]) -> StatementScope:
    return StatementScope(tuple(item for scope in scopes for item in scope.items), scopes[0].inverted)


def _covers(wide: Statement, unit: Statement) -> bool:
    return (
        _scope_covers(wide.principals, unit.principals, _same_principal)
        and _scope_covers(wide.actions, unit.actions, covers)
        and _scope_covers(wide.resources, unit.resources, covers)
        and _conditions_cover(dict(wide.conditions), dict(unit.conditions))
    )


def _scope_covers(wide: StatementScope, narrow: StatementScope, item_covers: Any) -> bool:
    if not wide.inverted and not narrow.inverted:
        return all(any(item_covers(w, n) for w in wide.items) for n in narrow.items)
    if wide.inverted and narrow.inverted:
        return all(any(item_covers(n, w) for n in narrow.items) for w in wide.items)
    if wide.inverted:
        return not any(_may_meet(w, n) for w in wide.items for n in narrow.items)
    return any(item in (ANY, (ANY, ANY)) for item in wide.items)


def _may_meet(one: Any, other: Any) -> bool:
    # Whether two principals overlap depends on accounts and roles that a template does not show.
    return True if isinstance(one, tuple) else may_meet(one, other)


def _same_principal(wide: Principal, narrow: Principal) -> bool:
    return wide in (narrow, (ANY, ANY)) or (wide == ("AWS", ANY) and narrow[0] == "AWS")


def _conditions_cover(wide: Conditions, narrow: Conditions) -> bool:
    """True when every request that passes `narrow` passes `wide`: each condition is kept or tighter."""
    return all(key in narrow and _values_cover(key[0], values, narrow[key]) for key, values in wide.items())


def _values_cover(operator: str, wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    bare = operator.rpartition(":")[2].removesuffix("ifexists")
    same = covers if bare in _LIKE else str.__eq__
    if bare.startswith(_NEGATIVE):
        return all(any(same(n, w) for n in narrow) for w in wide)
    return all(any(same(w, n) for w in wide) for n in narrow)


def _statement(body: dict[str, Any]) -> Statement:
    conditions = {}
    for operator, keys in (body.get("Condition") or {}).items():
        # An intrinsic in place of the keys stays one opaque condition.
        for key, values in (keys if isinstance(keys, dict) else {"": keys}).items():
            conditions[operator.lower(), key.lower()] = tuple(sorted(texts_of(values)))
    return Statement(
        effect="Deny" if body["Effect"] == "Deny" else "Allow",
        principals=_principals(body),
        actions=_scope(body, "Action", "NotAction", lower=True),
        resources=_scope(body, "Resource", "NotResource"),
        conditions=tuple(sorted(conditions.items())),
    )


def _scope(body: dict[str, Any], name: str, inverted_name: str, *, lower: bool = False) -> StatementScope:
    inverted = inverted_name in body
    # A trust policy has no Resource: it is about the role that carries it.
    items = texts_of(body.get(inverted_name if inverted else name)) or [ANY]
    return StatementScope(tuple(sorted({item.lower() if lower else item for item in items})), inverted)


def _principals(body: dict[str, Any]) -> StatementScope:
    inverted = "NotPrincipal" in body
    named = body.get("NotPrincipal" if inverted else "Principal")
    if named is None:
        return StatementScope((_SELF,))
    if named == ANY:
        return StatementScope(((ANY, ANY),), inverted)
    if not isinstance(named, dict):
        return StatementScope((("AWS", text_of(named)),), inverted)
    return StatementScope(
        tuple(sorted((kind, text) for kind, values in named.items() for text in texts_of(values))), inverted
    )


def _named(scope: StatementScope) -> str:
    texts = [item if isinstance(item, str) else _principal_text(item) for item in scope.items]
    return ("all but " if scope.inverted else "") + ", ".join(texts)


def _principal_text(principal: Principal) -> str:
    kind, name = principal
    return "anyone" if name == ANY and kind in (ANY, "AWS") else f"{kind} {name}"
