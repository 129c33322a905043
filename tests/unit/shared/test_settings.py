"""Settings come from the environment, and every bad variable is named before anything starts."""

from collections.abc import Mapping

import pytest

from runtime.orchestrator.settings import OrchestratorSettings
from runtime.shared.settings import load

REQUIRED = {
    "ENVIRONMENT": "dev",
    "LEDGER_TABLE_NAME": "ledger",
    "DOWNLOAD_TASKS_QUEUE_URL": "https://sqs/tasks",
    "EXPORT_API_BASE_URL": "https://api.example/",
    "EXPORT_API_SECRET_ARN": "arn",
    "EXPORT_JOBS_QUEUE_URL": "https://sqs/jobs",
    "EXPORT_JOBS_DLQ_URL": "https://sqs/jobs-dlq",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        load(OrchestratorSettings)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_settings_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SLOTS", "")
    loaded = load(OrchestratorSettings)
    assert (loaded.slots, loaded.export_api_base_url) == (8, "https://api.example")


def test_every_bad_variable_is_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("LEDGER_TABLE_NAME")
    environment.setenv("EXPORT_JOBS_QUEUE_URL", "queue?token=secret")
    environment.setenv("SLOTS", "many")
    environment.setenv("SERVICE_MODE", "worker")
    text = refused(capsys)
    assert "LEDGER_TABLE_NAME is not set" in text
    for name in ("EXPORT_JOBS_QUEUE_URL", "SLOTS", "SERVICE_MODE"):
        assert f"{name}: " in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"HEARTBEAT_INTERVAL_S": "200"}, "HEARTBEAT_INTERVAL_S"),
        ({"STOP_MARGIN_S": "200"}, "STOP_MARGIN_S"),
        ({"LIVENESS_LIMIT_S": "5"}, "LIVENESS_LIMIT_S"),
        ({"VISIBILITY_TIMEOUT_S": "43200"}, "VISIBILITY_TIMEOUT_S"),
        ({"POLL_WAIT_S": "21"}, "POLL_WAIT_S"),
        ({"EXPORT_API_BASE_URL": "https://user:word@api.example"}, "EXPORT_API_BASE_URL"),
    ],
)
def test_limits_and_contradictions_are_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], values: Mapping[str, str], named: str
) -> None:
    for name, value in values.items():
        environment.setenv(name, value)
    assert named in refused(capsys)
