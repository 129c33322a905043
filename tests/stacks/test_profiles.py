"""A vendor as a value: what is refused when it is written, and that it arrives in the runtime as meant."""

import pytest
from pydantic import ValidationError

from runtime.orchestrator.settings import OrchestratorSettings
from runtime.worker.settings import WorkerSettings
from stacks.environments import DEV
from stacks.profiles import PROFILES
from stacks.runtime_settings import settings_schema
from stacks.values import ExportApi
from tests.stacks.test_settings import synthesized

API = ExportApi(base_url="https://api.example.com/v2")
REQUIRED = {
    "ENVIRONMENT": "dev",
    "LEDGER_TABLE_NAME": "ledger",
    "DOWNLOAD_TASKS_QUEUE_URL": "https://sqs/tasks",
    "DOWNLOAD_TASKS_DLQ_URL": "https://sqs/tasks-dlq",
    "EXPORT_JOBS_QUEUE_URL": "https://sqs/jobs",
    "EXPORT_JOBS_DLQ_URL": "https://sqs/jobs-dlq",
    "EXPORT_API_SECRET_ARN": "arn",
    "BUCKET_NAME": "bucket",
    "METADATA_TABLE_NAME": "metadata",
}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"base_url": "http://api.example.com"}, "base_url"),
        ({"base_url": "https://api.example.com/v1?tenant=1"}, "base_url"),
        ({"base_url": "https://user:word@api.example.com"}, "base_url"),
        ({"status_field": "data["}, "status_field: 'data\\[' is not a 'jmespath'"),
        ({"next_cursor_field": ""}, "next_cursor_field"),
        ({"status_path": "/exports"}, "status_path: '/exports' does not match"),
        ({"status_path": "/exports/{job}"}, "status_path"),
        ({"status_path": "exports/{export_job_id}"}, "status_path"),
        ({"files_path": "/e/{export_job_id}/files/{file_id}"}, "files_path"),
        ({"file_path": "/e/{export_job_id}/files"}, "file_path"),
        ({"file_path": "/e/{export_job_id}/files/{file_id} x"}, "file_path"),
        ({"status_words": {"DONE": "done"}}, "status_words: 'done' is not one of"),
        ({"pagination": "scroll"}, "pagination"),
        ({"page_size": 0}, "page_size: 0 is less than"),
        ({"first_page": -1}, "first_page"),
        ({"end_statuses": (401,)}, "end_statuses"),
        ({"end_statuses": (500,)}, "end_statuses"),
        ({"headers": {"Host": "x"}}, "headers"),
        ({"headers": {"X-Tenant": "a\r\nX-Other: b"}}, "headers"),
        ({"key_header": "X Key"}, "key_header"),
        ({"oauth_token_url": "http://login.example.com"}, "oauth_token_url"),
        ({"deadline_s": 0}, "deadline_s: 0"),
        ({"max_answer_bytes": 10}, "max_answer_bytes"),
        ({"total_field": "total", "total_pages_field": "pages"}, "one of the two"),
        ({"cursor_parm": "after"}, "cursor_parm"),
    ],
)
def test_what_the_runtime_would_refuse_is_refused_when_it_is_written(values, sentence):
    with pytest.raises(ValidationError, match=sentence):
        API.derive(**values)


def test_every_variable_of_the_vendor_is_a_value_and_the_other_way_round():
    variables = {
        name
        for schema in settings_schema().values()
        for name in schema
        if name.startswith("EXPORT_API_") and name != "EXPORT_API_SECRET_ARN"
    }
    assert {f"EXPORT_API_{name.upper()}" for name in ExportApi.model_fields} - variables == {
        "EXPORT_API_DOWNLOAD_HOSTS"
    }
    assert variables <= {f"EXPORT_API_{name.upper()}" for name in ExportApi.model_fields}


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize(
    ("service", "settings"), [("orchestrator", OrchestratorSettings), ("worker", WorkerSettings)]
)
def test_a_profile_arrives_in_the_runtime_as_it_was_written(name, service, settings, monkeypatch):
    profile = PROFILES[name]
    for variable, text in (REQUIRED | {"SERVICE_MODE": service} | profile.settings(service)).items():
        monkeypatch.setenv(variable, text)
    read = settings()
    for field in profile.model_fields_set - {"download_hosts"}:
        assert getattr(read, f"export_api_{field}") == getattr(profile, field), field


def test_an_environment_with_another_vendor_synthesizes_and_tells_both_services(tmp_path):
    services = synthesized(DEV.derive(export_api=PROFILES["batches"]), tmp_path)
    for service in services.values():
        assert service.variables["EXPORT_API_TOTAL_FIELD"] == "_page.count"
        assert service.variables["EXPORT_API_ENCODED_IDS"] == "true"
