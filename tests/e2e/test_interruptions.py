"""Whatever dies in mid-work, the work is done once and completely."""

import signal

import pytest

from local.export_api.content import Content
from tests.e2e.exports import zip_of

FILES = {f"{number}.bin": Content(str(number), 200_000).read(0, 200_000) for number in range(4)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_ends_in_mid_download(run, services, faults, number):
    run.describe(FILES).offer(zip_of(FILES), zip_of(FILES))
    with faults.hold("download", run.job_id, after=1) as held:
        run.send()
        assert held.arrived.wait(20)
        exit_code = _end(services["worker"], number)
    assert exit_code == (0 if number == signal.SIGTERM else -number)
    run.platform.run_task("worker")
    assert run.finish().objects() == FILES
    assert run.parked_reasons() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_orchestrator_that_ends_in_mid_listing(run, services, faults, number):
    archives = [zip_of({name: data}) for name, data in FILES.items()]
    run.describe(FILES).offer(*archives)
    services["orchestrator"].stop()
    first = run.platform.run_task("orchestrator", overrides={"EXPORT_API_PAGE_SIZE": "1"})
    with faults.hold("files", run.job_id, after=2) as held:
        run.send()
        assert held.arrived.wait(20)
        exit_code = _end(first, number)
    assert exit_code == (0 if number == signal.SIGTERM else -number)
    run.platform.run_task("orchestrator")
    assert run.finish().objects() == FILES
    assert run.platform.ledger_job(run.job_id)["tasks_total"] == len(FILES)


def _end(task, number):
    task.kill(number)
    return task.process.wait(task.definition.stop_timeout_s)
