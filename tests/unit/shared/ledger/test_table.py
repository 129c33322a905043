"""One table: a transaction that is refused shows what stood in its way."""

import pytest
from boto3.dynamodb.conditions import Attr

from runtime.shared.ledger import Ledger
from runtime.shared.ledger.expressions import Change
from runtime.shared.ledger.table import ConditionRefused


def test_a_refusal_shows_what_stood_there(ledger: Ledger) -> None:
    table = ledger._table
    table.update(Change(job="job", key="x", set={"a": 1.5, "b": ["y"], "c": None}))
    with pytest.raises(ConditionRefused) as refusal:
        table.transact(
            [Change(job="job", key="y", set={"a": 1}), Change(job="job", key="x", when=Attr("a").eq(2))]
        )
    assert refusal.value.items[1]["a"] == 1.5
    assert table.get("job", "y") is None
