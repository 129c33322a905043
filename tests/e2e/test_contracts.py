"""What the services leave behind is what docs/contracts says."""

import json

from tests.e2e.exports import zip_of
from tests.reference.held_against import contract_of, held_against

FILES = {"übersicht.txt": b"here", "absent.txt": b"in no archive"}


def test_objects_manifests_dead_letters_and_the_ledger_keep_to_the_contracts(run, platform):
    there = {"übersicht.txt": b"here", "extra.txt": b"not expected"}
    run.describe(FILES).offer(zip_of(there), b"<html>no archive</html>" * 100).send().finish("failed")

    held_against("object-metadata", platform.get_object(f"exports/{run.job_id}/übersicht.txt")["Metadata"])
    for key in platform.objects(f"manifests/{run.job_id}/"):
        text = platform.get_object(key)["Body"].read().decode()
        if key.endswith(".json"):
            held_against("manifest", json.loads(text))
        else:
            contract = "missing-line" if key.endswith("missing.jsonl") else "entry-line"
            assert text
            for line in text.splitlines():
                held_against(contract, json.loads(line))
    (parked,) = [message for message in platform.parked("DownloadTasks") if run.job_id in message["body"]]
    held_against("download-task-message", json.loads(parked["body"]))
    held_against("dead-letter-attributes", {name: parked[name] for name in parked if name != "body"})
    items = platform.ledger(run.job_id)
    assert {contract_of(item) for item in items} == {"ledger-job", "ledger-task", "ledger-count"}
    for item in items:
        held_against(contract_of(item), item)
