"""Keys that DynamoDB leaves unprocessed are asked for again, with pauses, and not for ever."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.credentials import Credentials

from runtime.shared.aws_client.client import AwsClient
from runtime.shared.aws_client.endpoint import Endpoint
from runtime.shared.aws_client.errors import AwsError
from runtime.shared.aws_client.sigv4 import SigV4Signer
from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.scope import Scope
from runtime.worker.plan import metadata
from runtime.worker.plan.metadata import Attributes, MetadataTable

PATHS = [f"{i}.txt" for i in range(30)]


class Table:
    """Answers `served` keys of each request and leaves the others unprocessed."""

    def __init__(self, served: int) -> None:
        self.served = served
        self.requests = 0

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.requests += 1
        keys = request["RequestItems"]["t"]["Keys"]
        items = [{"file_path": key["file_path"], "size": {"N": "7"}} for key in keys[: self.served]]
        left = keys[self.served :]
        return {"Responses": {"t": items}, "UnprocessedKeys": {"t": {"Keys": left}} if left else {}}


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Iterator[tuple[Table, MetadataTable]]:
    stub = Table(request.param)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def do_POST(self) -> None:
            body = json.dumps(
                stub.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    endpoint = Endpoint.from_url(f"http://127.0.0.1:{server.server_port}")
    signer = SigV4Signer(Credentials("AKID", "secret"), "eu-west-1", "dynamodb")
    yield stub, MetadataTable(AwsClient(endpoint, signer, None, lambda _: None), Attributes(table="t"))
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("table", [2], indirect=True)
def test_slow_progress_is_progress(
    table: tuple[Table, MetadataTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "_BACK_OFF_BASE_S", 0.001)
    stub, items = table
    assert sorted(items.read("job", PATHS, Scope(Cancellation()))) == sorted(PATHS)
    assert stub.requests == 15


@pytest.mark.parametrize("table", [0], indirect=True)
def test_none_at_all_ends_it(table: tuple[Table, MetadataTable], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "_BACK_OFF_BASE_S", 0.001)
    monkeypatch.setattr(metadata, "_BACK_OFF_MAX_S", 0.002)
    stub, items = table
    with pytest.raises(AwsError, match="30 keys stay unprocessed"):
        items.read("job", PATHS, Scope(Cancellation()))
    assert stub.requests == 12
