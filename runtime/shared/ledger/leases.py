"""Taking, renewing and ending the lease on one ledger item; jobs, tasks and parts all work this way.

A lease is the claim's generation plus a time. The generation fences every write; the time only says when
somebody else may take over. A claim whose answer got lost on the wire recognises itself by its token when it
is repeated.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from .expressions import Change
from .table import Item, LedgerTable, Refused
from .types import Busy, LeaseLost


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
) -> Item:
    """Claim the item for `lease_s` and return it, its new `generation` included. Raises Busy | NotOurs."""
    token = uuid.uuid4().hex
    now = table.clock()
    try:
        return table.update(
            Change(
                job=job,
                key=key,
                set={**change, "owner": owner, "token": token, "lease_until": now + lease_s},
                defaults={"created_at": now, **defaults},
                add={"generation": 1},
                remove=remove,
                when=allowed & free(now),
            )
        )
    except Refused as refusal:
        item = refusal.items[0]
        if item.get("token") == token:
            return item
        if float(item.get("lease_until", 0)) > now:
            raise Busy(max(0.1, float(item["lease_until"]) - now)) from refusal
        raise NotOurs(item) from refusal


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
    except Refused as refusal:
        if refusal.items[0].get("generation") != generation:
            raise LeaseLost(f"{key} of job {job} was taken over from generation {generation}") from refusal


def release(table: LedgerTable, job: str, key: str, generation: int, status: str) -> None:
    """End the lease now so that the next claim does not wait; nothing happens when it is no longer held."""
    held = Attr("generation").eq(generation) & Attr("lease_until").gt(0)
    try:
        table.update(Change(job=job, key=key, set={"lease_until": 0, "status": status}, when=held))
    except Refused:
        return
