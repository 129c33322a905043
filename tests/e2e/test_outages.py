"""Everything that the services depend on is away: they wait, nothing is parked, and all of it arrives."""

import json

from local.export_api.faults import WrongAnswer
from local.processes import wait_for
from tests.e2e.conftest import TOKEN
from tests.e2e.exports import Run, zip_of

GOOD = {"good.txt": b"as it should be"}


def test_an_outage_of_everything_costs_time_alone(platform, api, services, faults):
    runs = [Run(platform, api).describe(GOOD).offer(zip_of(GOOD)) for _ in range(8)]
    # What a task has read of the secret it keeps, until the API refuses it: then it finds it empty.
    faults.outages |= {
        "status": WrongAnswer(401, "not this token"),
        "files": WrongAnswer(503, "down"),
        "download": WrongAnswer(503, "down"),
    }
    _put_secret(platform, "{}")
    try:
        for run in runs:
            run.send()
        wait_for(lambda: "secret" in _circuits(platform), "the secret's circuit to open", 40)
        wait_for(lambda: _is_remembered(platform, runs), "a failure to be remembered beside its job", 20)
        platform.use_export_api(api.base_url, TOKEN)
        del faults.outages["status"]
        wait_for(lambda: "listing" in _circuits(platform), "the listing's circuit to open", 60)
        del faults.outages["files"]
        wait_for(lambda: any(name.startswith("download:") for name in _circuits(platform)), "a host's", 60)
    finally:
        faults.outages.clear()
        platform.use_export_api(api.base_url, TOKEN)
    for run in runs:
        assert run.finish().objects() == GOOD
        assert run.parked_reasons() == []
    wait_for(lambda: not _circuits(platform), "every circuit to close", 20)


def _put_secret(platform, text):
    platform.client("secretsmanager").put_secret_value(
        SecretId=platform.output("ExportApiSecretArn"), SecretString=text
    )


def _circuits(platform):
    """The circuits that are not closed, as the ledger has them."""
    items = [item for item in platform.ledger("#circuits") if item["item"] == "CIRCUITS"]
    texts = (value for item in items for name, value in item.items() if name.startswith("circuit_"))
    return {json.loads(text)["dependency"] for text in texts}


def _is_remembered(platform, runs):
    return any(platform.ledger_job(run.job_id).get("failing_since") for run in runs)
