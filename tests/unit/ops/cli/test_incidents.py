"""Incidents as a new on-call person meets them: found, understood and mended with `export-ops` alone.

Each row sets up what has happened, through the runtime's own ledger and messages; then the commands one
would type, with words that have to be in the answer; then what has to be true afterwards.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.fleet.circuits import not_closed
from runtime.shared.circuits.config import CircuitConfig
from runtime.shared.circuits.state import tripped
from runtime.shared.circuits.store import LedgerCircuits
from runtime.shared.ledger import Place, place_of_job
from tests.unit.ops.conftest import Ops
from tests.unit.ops.site import VENDOR, Site

POISON = '{"export_job_ids": ["job-poison"], "note": "memory"}'


@dataclass(frozen=True)
class Typed:
    """A command, words of its answer, and its exit code."""

    words: str
    said: tuple[str, ...] = ()
    code: int = 0


@dataclass(frozen=True)
class Incident:
    name: str
    happens: Callable[[Site], object]
    typed: tuple[Typed, ...]
    mended: Callable[[Site], bool]


def bad_zips(site: Site) -> None:
    site.listed("job-a", ["f0", "f1", "f2"])
    site.done("job-a", "f0")
    site.parked("job-a", "f1", "not-a-zip", "the body begins with <!DOCTYPE")
    site.ended(site.parked("job-a", "f2", "not-a-zip"), "failed", 4, 2)


def expired_secret(site: Site) -> None:
    trip(site, "secret", "GET /v1/exports/job-s answers 401")
    site.park_message("ExportJobs", body("job-s"), "retries-exhausted", "401 for 72 h", "job-s")


def stuck_archive(site: Site) -> None:
    site.listed("job-b", ["f0", "f1"])
    site.done("job-b", "f0")
    for _ in range(6):
        claim = site.ledger.claim(site.unit("job-b", "f1"), owner="worker-7", lease_s=60)
        site.ledger.release(claim)
    place = Place("job-b", site.unit("job-b", "f1").key)
    site.messages.failed(place, "download-stalled", "12 bytes in 30 s from files.vendor.example", anew=True)
    site.log("worker", timestamp=now(), message="Failure 6", level="WARNING", task_id=claim.unit.task_id)


def three_missing(site: Site) -> None:
    site.listed("job-c", ["f0"])
    state = site.done("job-c", "f0", entries=7)
    paths = ("a.csv", "b.csv", "c.csv")
    lines = [{"path": path, "reason": "not-in-any-archive"} for path in paths]
    site.put_lines("manifests/job-c/missing.jsonl", lines)
    site.ended(state, "incomplete", 10, 3)


def poison(site: Site) -> None:
    site.park_message("ExportJobs", POISON, "")


def two_causes(site: Site) -> None:
    for number in range(25):
        site.park_message("ExportJobs", f"broken {number}", "malformed-message", "the body is not JSON")
    site.listed("job-d", [f"f{number}" for number in range(15)])
    for number in range(15):
        site.parked("job-d", f"f{number}", "download-forbidden", "host cdn.vendor.example is not allowed")


def unknown_job(site: Site) -> None:
    state = site.ledger.park_job("job-typo", "unknown-job", "404", correlation_id="producer-9")
    site.park_message("ExportJobs", body("job-typo"), "unknown-job", "404", "job-typo")
    site.ended(state, "failed")


def vendor_outage(site: Site) -> None:
    trip(site, "download:files.vendor.example", "5 failures in a row, the last: 503")


def forgotten_pause(site: Site) -> None:
    trip(site, "status", "5 failures in a row")


def not_ready(site: Site) -> None:
    claim = site.ledger.claim_job("job-e", owner="orchestrator-1", lease_s=60, correlation_id="trail")
    site.ledger.release_job(claim)
    site.messages.waited(place_of_job("job-e"), "running")


def expired_export(site: Site) -> None:
    site.ended(site.ledger.park_job("job-f", "export-expired", "410", correlation_id="trail"), "failed")


def lost_object(site: Site) -> None:
    files = {"a.txt": b"alpha", "b.txt": b"beta", "c.txt": b"gamma"}
    site.expect("job-g", files)
    site.put("exports/job-g/a.txt", files["a.txt"])
    site.put("exports/job-g/b.txt", b"atad")
    site.listed("job-g", ["f0"])
    site.ended(site.done("job-g", "f0", entries=3), "completed", 3)


def late_metadata(site: Site) -> None:
    site.listed("job-h", ["f0"])
    state = site.done("job-h", "f0", entries=5, in_s3=4, **{"rejected:no-metadata": 1})
    site.put_lines(
        "manifests/job-h/missing.jsonl", [{"path": "late.csv", "reason": "no-metadata", "file_id": "f0"}]
    )
    site.ended(state, "incomplete", 5, 1)


def dead_worker(site: Site) -> None:
    site.listed("job-i", ["f0"])
    site.ledger.claim(site.unit("job-i", "f0"), owner="worker-dead", lease_s=-5)
    site.parked("job-j", "f9", "crash-loop", "5 receives ended with the process that worked on it")


def bucket_policy(site: Site) -> None:
    site.listed("job-l", ["f0", "f1"])
    for file in ("f0", "f1"):
        claim = site.ledger.claim(site.unit("job-l", file), owner="worker-1", lease_s=60)
        site.ledger.release(claim)
        place = Place("job-l", site.unit("job-l", file).key)
        site.messages.failed(place, "aws-error", "PutObject: 403 AccessDenied: explicit deny", anew=True)


def wrong_secret_name(site: Site) -> None:
    trip(site, "secret", "ResourceNotFoundException: Secrets Manager can't find the specified secret")
    claim = site.ledger.claim_job("job-m", owner="orchestrator-1", lease_s=60, correlation_id="trail")
    site.ledger.release_job(claim)
    site.messages.failed(place_of_job("job-m"), "circuit-open", "the circuit of secret is open", anew=True)


def throttling_vendor(site: Site) -> None:
    site.listed("job-n", ["f0"])
    place = Place("job-n", site.unit("job-n", "f0").key)
    site.messages.failed(place, "download-failed", "429 from cdn.vendor.example", anew=True)
    values = {"BytesFromHost": 6_000_000, "FailuresOfHost": 600}
    directive = {"Namespace": "n", "Dimensions": [["host"]], "Metrics": [{"Name": name} for name in values]}
    emf = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    site.log(
        "worker", _aws=emf, host="cdn.vendor.example", **{name: [value] for name, value in values.items()}
    )


def throttled_ledger(site: Site) -> None:
    claim = site.ledger.claim_job("job-o", owner="orchestrator-1", lease_s=60, correlation_id="trail")
    site.ledger.release_job(claim)
    error = "ProvisionedThroughputExceededException: rate of requests exceeds the table's"
    site.messages.failed(place_of_job("job-o"), "aws-error", error, anew=True)


def sent_many_times(site: Site) -> None:
    site.listed("job-p", ["f0"])
    site.ended(site.done("job-p", "f0", entries=1), "completed", 1)
    for start in range(0, 100, 10):
        entries = [{"Id": str(number), "MessageBody": body("job-p")} for number in range(start, start + 10)]
        site.fleet.client("sqs").send_message_batch(
            QueueUrl=site.fleet.output("ExportJobsQueueUrl"), Entries=entries
        )


def nearly_deleted(site: Site) -> None:
    site.fleet.client("sqs").set_queue_attributes(
        QueueUrl=site.fleet.output("DownloadTasksDlqUrl"), Attributes={"MessageRetentionPeriod": "86400"}
    )
    site.listed("job-q", ["f0", "f1"])
    for file in ("f0", "f1"):
        site.parked("job-q", file, "truncated-archive", "the end of the directory is missing")


def nothing(_: Site) -> None:
    """A job that somebody asks for, and nobody has sent."""


INCIDENTS = (
    Incident(
        "a vendor's bad ZIPs",
        bad_zips,
        (
            Typed("jobs --state failed", ("job-a", "2 archives parked")),
            Typed("status job-a", ("2 of its archives are parked as not-a-zip", "redrive --job job-a")),
            Typed("dlq show --job job-a --limit 1", ("not-a-zip", f"{VENDOR}/f")),
            Typed("dlq redrive --job job-a --reason not-a-zip --dry-run", ("would be sent back: 2",)),
            Typed("dlq redrive --job job-a --reason not-a-zip --yes", ("sent back: 2",)),
        ),
        lambda site: len(site.drained("DownloadTasksQueueUrl")) == 2,
    ),
    Incident(
        "an expired secret",
        expired_secret,
        (
            Typed("watch --count 1", ("the circuit of secret has been open", "401", "into the secret")),
            Typed("dlq list", ("retries-exhausted", "is it over?")),
            Typed("dlq redrive --reason retries-exhausted --yes", ("sent back: 1",)),
        ),
        lambda site: [m["Body"] for m in site.drained("ExportJobsQueueUrl")] == [body("job-s")],
    ),
    Incident(
        "a stuck archive",
        stuck_archive,
        (
            Typed("status job-b", ("f1 has been failing", "download-stalled", "why job-b f1")),
            Typed("why job-b f1", ("waiting at try 6", "12 bytes in 30 s", "WARNING: Failure 6")),
            Typed("pause files.vendor.example --why ticket-4", ("download:files.vendor.example: paused",)),
            Typed("circuits", ("download:files.vendor.example", "paused", "ticket-4")),
            Typed("resume files.vendor.example", ("download:files.vendor.example: resumed",)),
        ),
        lambda site: not not_closed(site.fleet),
    ),
    Incident(
        "a job with three missing files",
        three_missing,
        (
            Typed("jobs --state incomplete", ("job-c", "incomplete")),
            Typed("status job-c", ("3 of 10 expected files are not in S3", "missing job-c")),
            Typed("missing job-c", ("a.csv", "c.csv", "the vendor's export lacks it", "retry job-c"), code=1),
            Typed("retry job-c", ("sent 1 messages", "run 2 begins")),
        ),
        lambda site: asked_again(site, "job-c"),
    ),
    Incident(
        "a poison message",
        poison,
        (
            Typed("dlq list", ("no reason", "SQS moved it after a crash at each receive")),
            Typed("dlq show", ("job-poison", "memory")),
            Typed(
                "dlq drop --reason no|reason --yes --file kept/poison.jsonl", ("dropped: 1", "poison.jsonl")
            ),
            Typed("dlq list", ("nothing is parked",)),
        ),
        lambda _: json.loads(Path("kept/poison.jsonl").read_text())["body"] == POISON,
    ),
    Incident(
        "a full DLQ of two causes",
        two_causes,
        (
            Typed("dlq list", ("malformed-message", "25", "download-forbidden", "15", "ALLOWED_HOSTS")),
            Typed("dlq redrive --reason download-forbidden --rate 100 --yes", ("sent back: 15",)),
            Typed("dlq drop --queue export-jobs --reason malformed-message --yes", ("dropped: 25",)),
            Typed("dlq list", ("nothing is parked",)),
        ),
        lambda site: (
            len(site.drained("DownloadTasksQueueUrl")) == 15
            and len(next(Path().glob("dropped-site-*.jsonl")).read_text().splitlines()) == 25
        ),
    ),
    Incident(
        "an id that the vendor does not know",
        unknown_job,
        (
            Typed("jobs --find typo", ("job-typo", "unknown-job: 404")),
            Typed("dlq list --job job-typo", ("a wrong id of the producer's",)),
            Typed("dlq drop --job job-typo --yes", ("dropped: 1",)),
        ),
        lambda site: not site.drained("ExportJobsDlqUrl"),
    ),
    Incident(
        "a vendor that asks to be left in peace",
        vendor_outage,
        (
            Typed("watch --count 1", ("download:files.vendor.example has been open", "503")),
            Typed("pause vendor --why upkeep", ("service:orchestrator: paused", "service:worker: paused")),
            Typed("watch --count 1", ("worker has been paused", "upkeep", "resume worker")),
            Typed("resume vendor", ("service:worker: resumed",)),
        ),
        lambda site: [one.dependency for one in not_closed(site.fleet)] == ["download:files.vendor.example"],
    ),
    Incident(
        "a pause that somebody forgot",
        forgotten_pause,
        (
            Typed("pause worker", ("service:worker: paused",)),
            Typed("circuits", ("service:worker", "paused by", "status", "open")),
            Typed("resume worker", ("service:worker: resumed",)),
            Typed("resume worker", ("service:worker was not paused by anybody",)),
        ),
        lambda site: [one.dependency for one in not_closed(site.fleet)] == ["status"],
    ),
    Incident(
        "an export that the vendor does not finish",
        not_ready,
        (
            Typed("jobs --state waiting", ("job-e", "running for")),
            Typed("status job-e", ("the vendor has not finished the export", "why job-e")),
            Typed("retry job-e", code=2),
        ),
        lambda site: not site.drained("ExportJobsQueueUrl"),
    ),
    Incident(
        "an export that has expired and was made again",
        expired_export,
        (
            Typed("jobs --error expired", ("job-f", "export-expired")),
            Typed("status job-f", ("the job was parked as export-expired", "have it made again")),
            Typed("retry job-f", ("sent 1 messages",)),
        ),
        lambda site: asked_again(site, "job-f"),
    ),
    Incident(
        "objects that somebody deleted and changed",
        lost_object,
        (
            Typed("verify job-g", ("c.txt", "absent", "b.txt", "1 of 3"), code=1),
            Typed("retry job-g", ("run 2 begins",)),
        ),
        lambda site: asked_again(site, "job-g"),
    ),
    Incident(
        "metadata that came after the files",
        late_metadata,
        (
            Typed("missing job-h", ("late.csv", "if its metadata came later"), code=1),
            Typed("retry job-h --dry-run", ("would send 1",)),
            Typed("retry job-h", ("sent 1",)),
        ),
        lambda site: asked_again(site, "job-h"),
    ),
    Incident(
        "a worker that died, and an archive that kills them",
        dead_worker,
        (
            Typed("status job-i", ("worker-dead has not reported", "its message comes back by itself")),
            Typed("dlq list", ("crash-loop", "its process ended each time")),
            Typed("dlq redrive --reason crash-loop --yes", ("sent back: 1",)),
        ),
        lambda site: len(site.drained("DownloadTasksQueueUrl")) == 1,
    ),
    Incident(
        "a bucket whose policy denies writing",
        bucket_policy,
        (
            Typed(
                "watch --count 1", ("2 archives fail", "AccessDenied", "policy of the bucket", "why job-l")
            ),
            Typed("why job-l f0", ("PutObject: 403", "explicit deny")),
            Typed("pause worker --why policy", ("service:worker: paused",)),
            Typed("resume worker", ("service:worker: resumed",)),
        ),
        lambda site: not not_closed(site.fleet),
    ),
    Incident(
        "a secret by the wrong name",
        wrong_secret_name,
        (
            Typed(
                "watch --count 1", ("secret has been open", "can't find the specified secret", "right name")
            ),
            Typed("status job-m", ("it waits for a circuit", "the secret")),
        ),
        lambda site: [one.dependency for one in not_closed(site.fleet)] == ["secret"],
    ),
    Incident(
        "a vendor that answers 429 for an hour",
        throttling_vendor,
        (
            Typed("watch --count 1", ("from cdn.vendor.example", "120.0 failures a minute", "fewer calls")),
            Typed("pause cdn.vendor.example --why 429", ("download:cdn.vendor.example: paused",)),
            Typed("watch --count 1", ("120.0 failures a minute, paused", "resume cdn.vendor.example")),
            Typed("resume cdn.vendor.example", ("resumed",)),
        ),
        lambda site: not not_closed(site.fleet),
    ),
    Incident(
        "a ledger that is throttled",
        throttled_ledger,
        (
            Typed("watch --count 1", ("1 listings fail", "AWS throttles us", "why job-o")),
            Typed("status job-o", ("its listing has been failing", "table's or bucket's limits")),
        ),
        lambda site: not not_closed(site.fleet),
    ),
    Incident(
        "a job that was sent a hundred times by mistake",
        sent_many_times,
        (
            Typed("watch --count 1", ("export-jobs", "100 waiting", "completed 1")),
            Typed("status job-p", ("completed",)),
            Typed("pause orchestrator --why job-p", ("service:orchestrator: paused",)),
            Typed("resume orchestrator", ("resumed",)),
        ),
        lambda site: len(site.drained("ExportJobsQueueUrl")) == 100,
    ),
    Incident(
        "parked messages that SQS is about to delete",
        nearly_deleted,
        (
            Typed("dlq list", ("truncated-archive", "SQS deletes the first of download-tasks's", "redrive")),
            Typed("dlq drop --reason truncated-archive --dry-run", ("would be dropped: 2",)),
            Typed("dlq redrive --queue download-tasks --yes", ("sent back: 2",)),
        ),
        lambda site: len(site.drained("DownloadTasksQueueUrl")) == 2,
    ),
    Incident(
        "a job that nobody has sent",
        nothing,
        (
            Typed("status job-k", code=3),
            Typed("submit job|k", code=2),
            Typed("submit job-k --correlation-id ticket-5", ("sent 1 messages", "ticket-5")),
        ),
        lambda site: asked_again(site, "job-k"),
    ),
)


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: incident.name)
def test_is_found_and_mended(
    incident: Incident, site: Site, ops: Ops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    incident.happens(site)
    for typed in incident.typed:
        answer = ops(*(word.replace("|", " ") for word in typed.words.split()))
        assert answer.code == typed.code, f"{typed.words}: {answer.out}{answer.error}"
        assert "Traceback" not in answer.error
        for words in typed.said:
            assert words in answer.out, f"{typed.words}: {answer.out}"
    assert incident.mended(site)


def body(job: str) -> str:
    return json.dumps({"export_job_ids": [job]})


def asked_again(site: Site, job: str) -> bool:
    bodies = [json.loads(message["Body"]) for message in site.drained("ExportJobsQueueUrl")]
    return [one["export_job_ids"] for one in bodies] == [[job]]


def trip(site: Site, dependency: str, reason: str) -> None:
    record = tripped(dependency, reason, time.time(), CircuitConfig())
    assert LedgerCircuits(site.table).swap(dependency, None, record)


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "+00:00"
