"""Taking, renewing and ending the lease on one ledger item; jobs, tasks and parts all work this way.

A lease is the claim's generation plus a time. The generation fences every write; the time only says when
somebody else may take over. A claim whose answer got lost on the wire recognises itself by its token when it
is repeated.

An item also remembers the message by which it was last claimed. Copies of a message multiply when deletes
fail behind sends, and each would wait for the lease and be copied again: one that meets a live lease is
dropped when neither it nor the message in whose place it came is the holder's.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from ..consumer.lineage import Lineage
from .expressions import Change
from .table import ConditionRefused, Item, LedgerTable
from .types import Busy, Duplicate, LeaseLost


@dataclass(frozen=True, slots=True)
class NotOurs(Exception):
    """The item refused for a reason that is not a live lease; the caller knows what its state means."""

    item: Item


def free(now: float) -> ConditionBase:
    """Nobody's lease is live on the item."""
    return Attr("lease_until").not_exists() | Attr("lease_until").lte(round(now, 3))


def take(
    table: LedgerTable,
    job: str,
    key: str,
    *,
    owner: str,
    lease_s: float,
    allowed: ConditionBase,
    change: Mapping[str, Any],
    defaults: Mapping[str, Any],
    remove: tuple[str, ...] = (),
    message: Lineage | None = None,
) -> Item:
    """Claim the item for `lease_s` and return it, its new `generation` included.

    `message`: by which the work came. Raises Busy | Duplicate | NotOurs.
    """
    token = uuid.uuid4().hex
    now = table.clock()
    by = {"message": message.id} if message is not None else {}
    try:
        return table.update(
            Change(
                job=job,
                key=key,
                set={**change, **by, "owner": owner, "token": token, "lease_until": now + lease_s},
                defaults={"created_at": now, **defaults},
                add={"generation": 1},
                remove=remove if by else (*remove, "message"),
                when=allowed & free(now),
            )
        )
    except ConditionRefused as refusal:
        item = refusal.items[0]
        if item.get("token") == token:
            return item
        if float(item.get("lease_until", 0)) > now:
            if message is not None and _is_beside(message, item.get("message")):
                raise Duplicate(f"{key} of job {job} is held by message {item['message']}") from refusal
            raise Busy(max(0.1, float(item["lease_until"]) - now)) from refusal
        raise NotOurs(item) from refusal


def _is_beside(message: Lineage, holder: object) -> bool:
    """Whether the holder's line goes on without this copy.

    An original waits: it may have been sent because of what the holder does not know yet.
    """
    return message.replaces is not None and holder not in (None, message.id, message.replaces)


def renew(table: LedgerTable, job: str, key: str, generation: int, lease_s: float) -> None:
    """Extend the lease. Raises LeaseLost when somebody else has claimed the item since.

    A lease that its own holder has ended stays ended: a renewal on another thread may be late.
    """
    try:
        table.update(
            Change(
                job=job,
                key=key,
                set={"lease_until": table.clock() + lease_s},
                when=Attr("generation").eq(generation) & Attr("lease_until").gt(0),
            )
        )
    except ConditionRefused as refusal:
        if refusal.items[0].get("generation") != generation:
            raise LeaseLost(f"{key} of job {job} was taken over from generation {generation}") from refusal


def release(table: LedgerTable, job: str, key: str, generation: int, status: str) -> None:
    """End the lease now so that the next claim does not wait; nothing happens when it is no longer held."""
    held = Attr("generation").eq(generation) & Attr("lease_until").gt(0)
    try:
        table.update(Change(job=job, key=key, set={"lease_until": 0, "status": status}, when=held))
    except ConditionRefused:
        return
