"""The settings' reference says of every variable what it means, and in which unit."""

import pytest

from ops.reference.settings import render
from runtime.orchestrator.settings import OrchestratorSettings
from runtime.worker.settings import WorkerSettings

# By the end of a variable's name.
UNITS = {
    "BYTES": "byte",
    "BYTES_PER_S": "bytes a second",
    "CALLS_PER_S": "calls a second",
    "DAYS": "day",
    "MINUTES": "minute",
    "S": "second",
}
SETTINGS = sorted(
    {
        (name.upper(), (field.description or "").strip())
        for service in (OrchestratorSettings, WorkerSettings)
        for name, field in service.model_fields.items()
    },
    key=str,
)


def unit_of(variable: str) -> str:
    parts = variable.split("_")
    ends = ("_".join(parts[-length:]) for length in (3, 2, 1))
    return next((UNITS[end] for end in ends if end in UNITS), "")


@pytest.mark.parametrize(("variable", "meaning"), SETTINGS)
def test_every_setting_has_a_meaning_with_its_unit(variable: str, meaning: str) -> None:
    assert meaning, f"{variable}: write below the field what it means, its unit and when to change it"
    assert meaning.endswith(".")
    assert unit_of(variable) in meaning.lower(), f"{variable} says its unit: {unit_of(variable)}"


def test_the_page_shows_the_meaning_and_the_default() -> None:
    rows = {line.split("|")[1].strip(): line for line in render().splitlines() if line.startswith("| `")}
    assert len(rows) == len({name for name, _ in SETTINGS})
    assert "| `false` |" in rows["`EXPORT_API_ENCODED_IDS`"]
    assert "| `0` |" in rows["`DOWNLOAD_CONNECTIONS_PER_HOST`"]
    assert '| `["-1"]` |' in rows["`EXPORT_API_END_VALUES`"]
    assert all(line.split(" | ")[-1].strip("| ") for line in rows.values())
