"""The circuits in the ledger table: one step of many that are tried at once."""

from concurrent.futures import ThreadPoolExecutor

from runtime.shared.circuits import CircuitConfig
from runtime.shared.circuits.state import probing, tripped
from runtime.shared.circuits.store import LedgerCircuits
from runtime.shared.ledger import Ledger

CONFIG = CircuitConfig()


def test_of_many_that_take_one_step_one_succeeds(ledger: Ledger) -> None:
    store = LedgerCircuits(ledger._table)
    for name in ("status", "download:files.example.com", "download:[2001:db8::1]"):
        record = tripped(name, "x", 0.0, CONFIG)
        assert store.swap(name, None, record)
        assert store.read()[name] == record
        with ThreadPoolExecutor(8) as pool:
            steps = [(name, record, probing(record, 30.0, CONFIG)) for _ in range(8)]
            taken = list(pool.map(lambda step: store.swap(*step), steps))
        assert sorted(taken) == [False] * 7 + [True]
        won = store.read()[name]
        assert not store.swap(name, record, None), "what was opened first must not close what is being probed"
        assert store.swap(name, won, None)
        assert name not in store.read()
        assert not store.swap(name, won, None), "an earlier opening's end must not end a later one"


def test_what_another_version_wrote_is_left_alone(ledger: Ledger) -> None:
    from runtime.shared.ledger.expressions import Change

    ledger._table.update(
        Change(job="#circuits", key="CIRCUITS", set={"circuit_status": '{"from": "the future"}'})
    )
    store = LedgerCircuits(ledger._table)
    assert store.read() == {}
    assert not store.swap("status", None, tripped("status", "x", 0.0, CONFIG))
