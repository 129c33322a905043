"""The connections of all downloads together: a host gets no more of them than the fleet may have."""

import pytest

from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.http.errors import TransferError
from runtime.shared.ledger.table import LedgerTable
from runtime.shared.rate import HostPermits
from runtime.shared.scope import Scope
from runtime.worker.fetch import transport as module
from runtime.worker.fetch.guard import HostGuard
from runtime.worker.fetch.transport import Transport
from tests.unit.conftest import Aws
from tests.unit.worker.servers import ArchiveServer, Behaviour


def transport(table: LedgerTable, task: str) -> Transport:
    guard = HostGuard(("127.0.0.1",), allow_http=True, allow_private=True)
    permits = HostPermits(table, "downloads", limit=2, owner=task)
    return Transport(guard, lambda _url: {}, timeout_s=5, permits=permits)


def test_a_host_gets_no_more_connections_than_the_fleet_may_have(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONGEST_WAIT_S", 0.2)
    table = LedgerTable(aws.dynamodb, aws.table(), retention_days=30)
    one, two = transport(table, "task-1"), transport(table, "task-2")
    with ArchiveServer(Behaviour(body=b"x" * 100)) as server:
        scope = Scope(Cancellation())
        with one.get(f"{server.base}/x", {}, scope), two.get(f"{server.base}/x", {}, scope):
            for task in (one, two):
                with (
                    pytest.raises(TransferError, match="DOWNLOAD_CONNECTIONS_PER_HOST"),
                    task.get(f"{server.base}/x", {}, scope),
                ):
                    pass
        with two.get(f"{server.base}/x", {}, scope) as response:
            assert response.head.status == 200
        assert len(server.behaviour.requests) == 3
