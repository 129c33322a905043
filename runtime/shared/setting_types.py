"""The types that settings are made of; their errors name neither the variable nor its value."""

from typing import Annotated

from pydantic import AfterValidator, Field


def _http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("it must start with https:// or http://")
    if "@" in value.split("/")[2]:
        raise ValueError("it must not hold a user or password; credentials belong in the secret")
    return value.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(_http_url)]
HttpUrlOrNone = Annotated[str, AfterValidator(lambda value: value and _http_url(value))]
"""Empty: there is none."""
Seconds = Annotated[float, Field(gt=0)]
NonEmpty = Annotated[str, Field(min_length=1)]
