"""The computed archive is one that any reader opens, and the sink lets the ledger's calls through."""

import http.client
import io
import json
import threading
import zipfile
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from benchmarks.container.archives import ManyEntries
from benchmarks.services import service


class Ranges(io.RawIOBase):
    """An archive as a file."""

    def __init__(self, archive: ManyEntries) -> None:
        self._archive, self._at = archive, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._archive.size)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = b"".join(self._archive.stream(self._at, len(buffer)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def test_every_entry_reads_back_whole(tmp_path: Path) -> None:
    archive = ManyEntries(tmp_path, 3_000)
    with zipfile.ZipFile(io.BufferedReader(Ranges(archive))) as file:
        assert len(file.namelist()) == 3_000
        assert file.testzip() is None
        for entry in archive.wanted:
            assert sha256(file.read(entry["path"])).hexdigest() == entry["sha256"]


class Table(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"asked": json.loads(body), "for": self.headers["X-Amz-Target"]}).encode()
        self.send_response(400)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def test_the_sink_answers_reads_of_metadata_and_hands_on_the_rest() -> None:
    with HTTPServer(("127.0.0.1", 0), Table) as table:
        threading.Thread(target=table.serve_forever, args=(0.05,), daemon=True).start()
        endpoint = f"http://127.0.0.1:{table.server_address[1]}"
        with service("benchmarks.container.sink", endpoint) as sink:
            connection = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=10)

            def ask(operation: str, body: dict[str, Any]) -> tuple[int, Any]:
                target = {"X-Amz-Target": f"DynamoDB_20120810.{operation}"}
                connection.request("POST", "/", json.dumps(body), target)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())

            assert ask("UpdateItem", {"Key": 1}) == (
                400,
                {"asked": {"Key": 1}, "for": "DynamoDB_20120810.UpdateItem"},
            )
            key = {"export_job_id": {"S": "job"}, "file_path": {"S": "a"}}
            status, found = ask("BatchGetItem", {"RequestItems": {"metadata": {"Keys": [key]}}})
            assert (status, found["Responses"]) == (200, {"metadata": []})
            assert sink.ask("GET", "/-/report")["reads"] == 1
            connection.close()
        table.shutdown()
