"""The metadata table as the benchmark's sink answers for it: GetItem, BatchGetItem and Query, pre-encoded."""

import json
from pathlib import Path
from typing import Any

PAGE_ITEMS = 4_000  # about DynamoDB's 1 MB


class Metadata:
    """One item per wanted entry and job, encoded once."""

    def __init__(self, items: dict[str, dict[str, bytes]] | None = None) -> None:
        self._items = items or {}
        self._pages = {job: list(of_job.values()) for job, of_job in self._items.items()}

    @classmethod
    def expecting(cls, instruction: dict[str, Any]) -> "Metadata":
        entries = json.loads(Path(instruction["index"]).read_text())
        items: dict[str, dict[str, bytes]] = {}
        for job in instruction["jobs"]:
            items[job] = {
                entry["path"]: json.dumps(
                    {
                        "export_job_id": {"S": job},
                        "file_path": {"S": entry["path"]},
                        "size": {"N": str(entry["size"])},
                        "sha256": {"S": entry["sha256"]},
                    },
                    separators=(",", ":"),
                ).encode()
                for entry in entries
                if entry["wanted"]
            }
        return cls(items)

    def answer(self, operation: str, body: bytes) -> bytes:
        """The JSON answer to a DynamoDB request."""
        request = json.loads(body)
        if operation == "BatchGetItem":
            ((table, wanted),) = request["RequestItems"].items()
            found = b",".join(filter(None, map(self._find, wanted["Keys"])))
            return b'{"Responses":{"%s":[%s]},"UnprocessedKeys":{}}' % (table.encode(), found)
        if operation == "GetItem":
            item = self._find(request["Key"])
            return b'{"Item":%s}' % item if item else b"{}"
        return self._query(request)

    def _find(self, key: dict[str, Any]) -> bytes | None:
        return self._items.get(key["export_job_id"]["S"], {}).get(key["file_path"]["S"])

    def _query(self, request: dict[str, Any]) -> bytes:
        (value,) = request["ExpressionAttributeValues"].values()
        job = value["S"]
        items = self._pages.get(job, [])
        # The position travels in the key, where a real table would look it up.
        start = int(request.get("ExclusiveStartKey", {}).get("position", {}).get("N", 0))
        end = start + PAGE_ITEMS
        page = items[start:end]
        answer = b'{"Items":[%s],"Count":%d,"ScannedCount":%d' % (b",".join(page), len(page), len(page))
        if end < len(items):
            answer += b',"LastEvaluatedKey":{"position":{"N":"%d"}}' % end
        return answer + b"}"
