"""The vendor's API, as values: a whole vendor on one page (`stacks.profiles` has four)."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import model_validator

from stacks.runtime_settings import as_text, faults, settings_schema
from stacks.values.base import Values
from stacks.values.hosts import DownloadHost, HttpsUrl, bucket_of


class ExportApi(Values):
    """The vendor's API: where it is, how it speaks, how we prove who we are, and what it bears.

    The credentials are in Secrets Manager. What is left out is the default profile's
    (docs/export-api.openapi.yaml); every field is explained in docs/profiles/README.md. A `_field` is a
    JMESPath expression, a `_path` a template below `base_url`. Each value is checked here against what the
    runtime would accept.
    """

    base_url: HttpsUrl
    headers: Mapping[str, str] | None = None
    download_hosts: tuple[DownloadHost, ...] = ()

    auth: Literal["bearer", "api-key", "oauth2"] = "bearer"
    key_header: str | None = None
    oauth_token_url: HttpsUrl | None = None
    oauth_scope: str | None = None
    oauth_audience: str | None = None
    oauth_client_auth: Literal["basic", "body"] | None = None
    token_with_downloads: bool | None = None

    status_path: str | None = None
    files_path: str | None = None
    file_path: str | None = None
    encoded_ids: bool | None = None

    status_field: str | None = None
    status_words: Mapping[str, str] | None = None
    job_id_field: str | None = None
    files_field: str | None = None
    file_field: str | None = None
    file_id_field: str | None = None
    file_name_field: str | None = None
    file_size_field: str | None = None
    download_url_field: str | None = None

    pagination: Literal["cursor", "next-url", "link-header", "page", "offset"] | None = None
    page_size: int | None = None
    limit_param: str | None = None
    cursor_param: str | None = None
    page_param: str | None = None
    first_page: int | None = None
    offset_param: str | None = None
    next_cursor_field: str | None = None
    next_url_field: str | None = None
    end_values: tuple[str, ...] | None = None
    has_more_field: str | None = None
    total_field: str | None = None
    total_pages_field: str | None = None
    short_page_ends: bool | None = None
    end_statuses: tuple[int, ...] | None = None

    calls_per_s: float | None = None
    concurrent_calls: int | None = None

    connect_timeout_s: float | None = None
    timeout_s: float | None = None
    deadline_s: float | None = None
    attempts: int | None = None
    max_answer_bytes: int | None = None
    max_page_records: int | None = None
    max_pages: int | None = None

    def settings(self, service: Literal["orchestrator", "worker"] = "orchestrator") -> dict[str, str]:
        """The variables that carry this to a service: those that differ from the runtime's defaults."""
        values = {
            _variable(name): as_text(value)
            for name in type(self).model_fields
            if name != "download_hosts" and (value := getattr(self, name)) is not None
        }
        return {name: text for name, text in values.items() if name in settings_schema()[service]}

    def download_buckets(self, region: str) -> list[str]:
        """The vendor's buckets among `download_hosts`, which tasks reach through our S3 endpoint."""
        return [bucket for host in self.download_hosts if (bucket := bucket_of(host, region))]

    @model_validator(mode="after")
    def _as_the_runtime_reads_it(self) -> Self:
        rules = settings_schema()["worker"] | settings_schema()["orchestrator"]
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name == "download_hosts" or value is None:
                continue
            for fault in faults(rules[_variable(name)], as_text(value)):
                raise ValueError(f"{name}: {fault}")
        if self.total_field and self.total_pages_field:
            raise ValueError("total_field counts files and total_pages_field pages: give one of the two")
        return self


def _variable(name: str) -> str:
    return f"EXPORT_API_{name.upper()}"
