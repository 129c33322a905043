"""A Secrets Manager with one secret that can rotate."""

from runtime.shared.export_api.credentials import SecretStore
from tests.unit.conftest import Clock


class Secrets:
    """Secrets Manager with one secret that can rotate or be away."""

    def __init__(self, text: str = '{"token": "one"}') -> None:
        self.text = text
        self.reads = 0

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803
        self.reads += 1
        return {"SecretString": self.text}


def store(secrets: Secrets, clock: Clock | None = None) -> SecretStore:
    return SecretStore(secrets, "arn", clock=clock or Clock())  # type: ignore[arg-type]
