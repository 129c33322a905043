"""One platform for all end-to-end tests: the dev stacks on a local AWS, and the real services beside it."""

from collections.abc import Iterator

import pytest

from local.export_api.catalogue import Catalogue
from local.export_api.server import ExportApiServer
from local.platform import Platform
from local.tasks import Task
from tests.e2e.exports import Run
from tests.e2e.holds import HeldFaults
from tests.recorder import save

TOKEN = "e2e-token"


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    with Platform("e2e") as platform:
        yield platform
        save(platform.permissions_used())


@pytest.fixture(scope="session")
def api(platform: Platform) -> Iterator[ExportApiServer]:
    with ExportApiServer(Catalogue(), token=TOKEN, plan=HeldFaults()) as server:
        platform.use_export_api(server.base_url, TOKEN)
        yield server


@pytest.fixture(scope="session")
def faults(api: ExportApiServer) -> HeldFaults:
    assert isinstance(api.plan, HeldFaults)
    return api.plan


@pytest.fixture
def services(platform: Platform, api: ExportApiServer) -> dict[str, Task]:
    """A running orchestrator and a running worker; those that a test ended are started anew."""
    running = {task.definition.service: task for task in platform.tasks if task.running}
    missing = [service for service in ("orchestrator", "worker") if service not in running]
    started = [platform.run_task(service, ready=False) for service in missing]
    for task in started:
        task.wait_until_ready()
    return running | {task.definition.service: task for task in started}


@pytest.fixture
def run(platform: Platform, api: ExportApiServer, services: dict[str, Task]) -> Run:
    """A job of the test's own."""
    return Run(platform, api)
