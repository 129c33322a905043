"""The steps of a job and of a task, as the services take them."""

from runtime.shared.ledger import JobClaim, JobState, Ledger, WorkUnit

UNIT = WorkUnit(export_job_id="job", task_id="t0", file_id="f0")


def listing(ledger: Ledger, *, tasks: int, finish: bool = True) -> JobClaim:
    claim = ledger.claim_job("job", owner="o", lease_s=60, correlation_id="c")
    ledger.record_tasks(claim, {f"t{n}": f"f{n}" for n in range(tasks)}, 0)
    if finish:
        ledger.finish_listing(claim, claim.listing)
    return claim


def end_of(state: JobState) -> str | None:
    if not state.ended:
        return None
    return "failed" if state.failed else "ended"


def complete(ledger: Ledger, task: str) -> None:
    ledger.complete(
        ledger.claim(WorkUnit(export_job_id="job", task_id=task, file_id=task), owner="w", lease_s=60), {}
    )
