"""The sample Export API, with an export for every id: `1000-7` has 1,000 files.

Arguments: the largest number of files, and how many records a page has whatever is asked for (0: as asked
for). Prints the port it listens on.
"""

import sys
import threading
from collections.abc import Mapping, Sequence

from local.export_api.archives import Blob
from local.export_api.catalogue import Catalogue, Export, ExportFile
from local.export_api.dialects import Default
from local.export_api.server import ExportApiServer

TOKEN = "sample-token"


class Exports(dict[str, Export]):
    """Made when they are asked for; all share the same files."""

    def __init__(self, most_files: int) -> None:
        super().__init__()
        archive = Blob(b"")
        self._files = [
            ExportFile(file_id=f"file-{number:07d}", name=f"export-part-{number:07d}.zip", archive=archive)
            for number in range(most_files)
        ]
        self._of_size: dict[int, list[ExportFile]] = {}

    def get(self, job_id: str, default: Export | None = None) -> Export | None:  # type: ignore[override]  # noqa: ARG002
        count = int(job_id.partition("-")[0])
        if count not in self._of_size:
            self._of_size[count] = self._files[:count]
        return Export(job_id, self._of_size[count])


class FixedPages(Default):
    """The default vendor, with pages of its own size."""

    def __init__(self, records: int) -> None:
        self._records = records

    def window(self, query: Mapping[str, Sequence[str]]) -> tuple[int, int]:
        first, limit = super().window(query)
        return first, self._records or limit


def main() -> None:
    most_files, records = map(int, sys.argv[1:])
    with ExportApiServer(Catalogue(Exports(most_files)), token=TOKEN) as server:
        server.dialect = FixedPages(records)
        print(server.base_url.rpartition(":")[2], flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
