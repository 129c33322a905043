"""The schema of the settings is what the settings are."""

from runtime.shared import settings_schema


def test_the_settings_schema_is_fresh() -> None:
    assert settings_schema.PATH.read_text() == settings_schema.document(), (
        "run: python -m runtime.shared.settings_schema"
    )
