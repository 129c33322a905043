"""One trace from a message to its manifest, joined over both queues, in the file that the platform keeps."""

import json
import secrets
import signal

import pytest

from local.export_api.faults import WrongAnswer
from local.processes import wait_for
from tests.e2e.exports import zip_of
from tests.e2e.spans import read_spans

FILES = {"a.txt": b"some text" * 100, "b/c.json": b"{}" * 5_000}


def test_a_job_is_one_trace_from_its_message_to_its_manifests(run):
    run.describe(FILES).offer(zip_of(FILES), zip_of({"a.txt": FILES["a.txt"]})).send().finish()
    spans = trace_of(run)
    assert len({span.trace_id for span in spans}) == 1
    # A stage may have had to be tried again, beside other tests; in the end each of them went well.
    assert {span.name for span in spans} == {span.name for span in spans if not span.failed}
    ancestry = {line_of(span, spans) for span in spans}
    begun = "orchestrator/receive"
    assert {span.name for span in spans if not span.parent_id} == {"receive"}
    listed = f"{begun} > orchestrator/list > orchestrator/dispatch"
    received = f"{listed} > worker/receive"
    assert ancestry >= {
        begun,
        f"{begun} > orchestrator/claim",
        listed,
        received,
        *(
            f"{received} > worker/{stage}"
            for stage in ("claim", "open", "plan", "upload", "publish", "complete")
        ),
        f"{received} > worker/upload > worker/fetch",
        f"{received} > worker/count",
    }
    files = {span.attributes.get("file_id") for span in spans if span.name == "receive"}
    assert files >= {"file-0", "file-1"}
    assert sum(span.attributes["objects"] for span in spans if span.name == "upload") >= len(FILES)


def test_log_lines_of_both_services_have_the_traces_id(run):
    run.describe(FILES).offer(zip_of(FILES)).send().finish()
    (trace,) = {span.trace_id for span in trace_of(run)}
    about = [line for line in log_lines(run.platform) if line.get("export_job_id") == run.job_id]
    assert {line["service"] for line in about} == {"orchestrator", "worker"}
    assert {line["trace_id"] for line in about} == {trace}


def test_what_failed_and_came_back_is_in_the_same_trace(run, faults):
    faults.outages["download"] = WrongAnswer(503, "down")
    try:
        run.describe(FILES).offer(zip_of(FILES)).send()
        wait_for(lambda: any(span.failed for span in spans_about(run)), "a failed attempt", 30)
    finally:
        faults.outages.clear()
    run.finish()
    spans = trace_of(run)
    assert len({span.trace_id for span in spans}) == 1
    attempts = [span for span in spans if span.attributes.get("file_id") == "file-0"]
    assert [span.attributes["outcome"] for span in attempts][-1] == "done"
    assert {span.failed for span in attempts} == {False, True}
    assert len({span.parent_id for span in attempts}) == 1


def test_what_one_worker_hands_over_goes_on_in_the_same_trace(run, services, faults):
    with faults.hold("download", run.job_id) as hold:
        run.describe(FILES).offer(zip_of(FILES)).send()
        assert hold.arrived.wait(30)
        services["worker"].kill(signal.SIGTERM)
        wait_for(lambda: "yield" in outcomes(run), "the work to be handed over", 30)
    services["worker"].wait_for_end()
    run.platform.run_task("worker")
    run.finish()
    spans = trace_of(run)
    assert len({span.trace_id for span in spans}) == 1
    assert {"yield", "done"} <= outcomes(run)
    # The next worker may come before the lease has ended, and then hand over once more.
    interrupted = [span for span in spans if span.attributes.get("outcome") == "yield"]
    assert interrupted
    assert not any(span.failed for span in interrupted)


@pytest.mark.parametrize(
    ("brought", "goes_on"),
    [
        ("00-{trace}-00f067aa0ba902b7-01", True),
        ("00-{trace}-00f067aa0ba902b7-03", True),
        ("cc-{trace}-00f067aa0ba902b7-01-of-a-later-version", True),
        ("00-{trace}-0000000000000000-01", False),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        ("ff-{trace}-00f067aa0ba902b7-01", False),
        ("00-{trace}-00f067aa0ba902b7-01-more", False),
        ("{trace}", False),
        ("00-{trace}-ZZf067aa0ba902b7-01", False),
        ("\U0001f600", False),
    ],
)
def test_a_producers_trace_goes_on_and_a_malformed_one_counts_as_none(run, brought, goes_on):
    trace = secrets.token_hex(16)
    run.describe(FILES).offer(zip_of(FILES))
    run.platform.send_raw(
        "ExportJobs", json.dumps({"export_job_ids": [run.job_id]}), traceparent=brought.format(trace=trace)
    )
    run.finish()
    (found,) = {span.trace_id for span in trace_of(run)}
    assert (found == trace) is goes_on


def test_a_producer_that_samples_nothing_is_heeded(run):
    trace = secrets.token_hex(16)
    run.describe(FILES).offer(zip_of(FILES))
    body = json.dumps({"export_job_ids": [run.job_id]})
    run.platform.send_raw("ExportJobs", body, traceparent=f"00-{trace}-00f067aa0ba902b7-00")
    run.finish()
    about = [line for line in log_lines(run.platform) if line.get("export_job_id") == run.job_id]
    assert {line["trace_id"] for line in about} == {trace}
    # A later job's spans were written after all that this one could have had.
    later = type(run)(run.platform, run.api).describe(FILES).offer(zip_of(FILES)).send().finish()
    assert trace_of(later)
    assert spans_about(run) == []


def spans_about(run):
    return [
        span for span in read_spans(run.platform.traces) if span.attributes.get("export_job_id") == run.job_id
    ]


def outcomes(run):
    return {span.attributes.get("outcome") for span in spans_about(run)}


def trace_of(run):
    """All spans of the traces in which the job is named, once they are whole and its tasks have ended."""

    def written():
        everything = read_spans(run.platform.traces)
        ids = {span.trace_id for span in everything if span.attributes.get("export_job_id") == run.job_id}
        found = [span for span in everything if span.trace_id in ids]
        known = {span.span_id for span in found}
        whole = sum(span.parent_id not in known for span in found) == 1
        listed = sum(span.attributes["files"] for span in found if span.name == "dispatch")
        done = {span.attributes["file_id"] for span in found if was_done(span)}
        return found if whole and len(done) == listed > 0 else None

    return wait_for(written, "the job's spans to be written", 20)


def was_done(span):
    return "file_id" in span.attributes and span.attributes.get("outcome") == "done"


def line_of(span, spans):
    """`service/name` of a span and what it is a part of, the outermost first."""
    by_id = {found.span_id: found for found in spans}
    names = [f"{span.service}/{span.name}"]
    while span.parent_id in by_id:
        span = by_id[span.parent_id]
        names.append(f"{span.service}/{span.name}")
    return " > ".join(reversed(names))


def log_lines(platform):
    lines = []
    for task in platform.tasks:
        text = task.log.read_text()
        complete = text[: text.rfind("\n") + 1].splitlines()
        lines += [json.loads(line) for line in complete if line.startswith("{")]
    return lines
