"""Other vendors than the default, from a message to the files: the same services, told by settings alone."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from local.export_api.archives import Blob
from local.export_api.catalogue import Catalogue, Export, ExportFile
from local.export_api.server import ExportApiServer
from local.processes import wait_for
from tests.e2e.conftest import TOKEN
from tests.e2e.exports import Run, zip_of

FILES = {f"archive-{number}": {f"{number}.txt": f"of archive {number}".encode()} for number in range(3)}
# More than one page of the smallest kind.
PAGE = {"EXPORT_API_PAGE_SIZE": "2"}
VENDORS = {
    "artifacts": ("70000412", ["81000001", "81000002", "81000003"]),
    "odata": ("quarter-end", ["a1", "b2", "c3"]),
    "batches": ("01J9ZK", [quote(f"01J9ZK/part {number}/é.zip", safe="") for number in range(3)]),
}


@pytest.fixture(params=VENDORS)
def vendor(request, platform, api) -> Iterator[tuple[str, ExportApiServer]]:
    """The sample vendor, with an orchestrator and a worker of its own in the place of the others."""
    platform.stop_tasks()
    with ExportApiServer(Catalogue(), token=TOKEN, profile=request.param) as server:
        platform.use_export_api(server.base_url, TOKEN, request.param)
        try:
            tasks = [
                platform.run_task(service, overrides=PAGE, ready=False)
                for service in ("orchestrator", "worker")
            ]
            for task in tasks:
                task.wait_until_ready()
            yield request.param, server
        finally:
            platform.stop_tasks()
            platform.use_export_api(api.base_url, TOKEN)


def test_a_vendor_of_another_shape_is_read_by_its_profile(platform, vendor):
    name, server = vendor
    job_id, file_ids = VENDORS[name]
    run = Run(platform, server, job_id)
    archives = zip(file_ids, FILES.values(), strict=True)
    server.catalogue.add(
        Export(
            job_id,
            [
                ExportFile(file_id=file_id, name=f"{file_id}.zip", archive=Blob(zip_of(files)))
                for file_id, files in archives
            ],
        )
    )
    for files in FILES.values():
        run.describe(files)
    run.send().finish()
    assert run.objects() == {path: data for files in FILES.values() for path, data in files.items()}
    assert server.requests["files"] >= 2
    assert [run.outcomes(file_id) for file_id in file_ids] == [
        dict.fromkeys(files, "uploaded") for files in FILES.values()
    ]

    unknown = Run(platform, server, f"nobody-{name}")
    unknown.send()
    wait_for(lambda: unknown.parked_reasons() == ["unknown-job"], "the unknown job parked", 20)
