"""Credentials in plain text: blocked, and not repeated."""

import pytest

from tests.gate.rules.templates import TASK, C, changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{C}.Environment.2", {"Name": "API_TOKEN", "Value": "s3cr3t-value"}),
        (f"{C}.Environment.2", {"Name": "DbPassword", "Value": "hunter2"}),
        (f"{C}.Environment.2", {"Name": "HELPER", "Value": "AKIAIOSFODNN7EXAMPLE"}),
        (f"{C}.Environment.2", {"Name": "DSN", "Value": "postgres://user:word@host/db"}),
        (
            f"{C}.Environment.2",
            {"Name": "ANYTHING", "Value": "{{resolve:secretsmanager:api:SecretString:token}}"},
        ),
        (f"{C}.Command", ["serve", "--key", "-----BEGIN RSA PRIVATE KEY-----"]),
        (f"{C}.Environment.1.Name", "API_KEY"),
    ],
)
def test_a_credential_in_plain_text_is_blocked_and_not_repeated(gate, path, value):
    before = changed(TASK, f"{C}.Environment.1", {"Name": "API_SECRET_NAME", "Value": "prod/api"})
    answer = gate.change({"Task": before}, {"Task": changed(before, path, value)})
    assert answer.code == 1
    assert ("secret-in-plain", "Task") in answer.kinds
