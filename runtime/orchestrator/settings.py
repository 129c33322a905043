"""What the orchestrator reads from its environment beyond the common settings."""

from typing import Annotated, Literal

from pydantic import Field

from runtime.shared.settings import CommonSettings, HttpUrl, NonEmpty, Seconds

Pagination = Literal["cursor", "next-url", "link-header", "page", "offset"]


class OrchestratorSettings(CommonSettings):
    """How a vendor paginates is a matter of these, not of code."""

    service_mode: Literal["orchestrator"] = "orchestrator"
    slots: Annotated[int, Field(ge=1, le=1_000)] = 8

    export_jobs_queue_url: HttpUrl
    export_jobs_dlq_url: HttpUrl

    export_api_page_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    export_api_pagination: Pagination = "cursor"
    export_api_limit_param: NonEmpty = "limit"
    export_api_cursor_param: NonEmpty = "cursor"
    export_api_page_param: NonEmpty = "page"
    export_api_first_page: Annotated[int, Field(ge=0)] = 1
    export_api_offset_param: NonEmpty = "offset"
    export_api_files_field: NonEmpty = "files"
    export_api_next_cursor_field: NonEmpty = "next_cursor"
    export_api_next_url_field: NonEmpty = "next"

    not_ready_base_s: Seconds = 30
    """First pause before a job that is not ready is looked at again; it doubles up to 15 minutes."""
    not_ready_max_wait_s: Seconds = 86_400
    """How long a job may wait for the API (not ready, rate limits, outage) before it counts as failed."""
