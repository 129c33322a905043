"""Vendors as values: the default profile, and three modelled on public export APIs of other shapes.

An environment takes one with `PROFILES["odata"].derive(base_url=…)`, or writes its own. docs/profiles/ has
each one's OpenAPI description, `local/export_api` a sample server, and `make demo PROFILE=name` runs it.
"""

from collections.abc import Mapping

from stacks.values import ExportApi

# The contract as it is: docs/export-api.openapi.yaml.
DEFAULT = ExportApi(base_url="https://export-api.example.com")

# After GitHub's workflow artifacts: numeric ids, pages by the Link header, a record that is not below its
# job, and a download link on the API's own origin that needs the token and redirects to a blob store.
ARTIFACTS = ExportApi(
    base_url="https://api.artifacts.example.com/repos/acme/exports",
    headers={"X-Api-Version": "2026-03-10"},
    status_path="/actions/runs/{export_job_id}",
    files_path="/actions/runs/{export_job_id}/artifacts",
    file_path="/actions/artifacts/{file_id}",
    # `status` says whether the run has ended, `conclusion` how.
    status_field="status == 'completed' && conclusion || status",
    status_words={
        "queued": "pending",
        "in_progress": "running",
        "success": "completed",
        "failure": "failed",
        "cancelled": "failed",
        "timed_out": "failed",
    },
    job_id_field="id",
    files_field="artifacts",
    file_id_field="id",
    file_size_field="size_in_bytes",
    download_url_field="archive_download_url",
    pagination="link-header",
    page_size=100,
    limit_param="per_page",
)

# After Microsoft Graph and other OData services: the next page's address in the body, 64-bit numbers as text,
# OAuth 2.0 with the credentials in the body, and download links that carry their own permission.
ODATA = ExportApi(
    base_url="https://graph.odata.example.com/v1.0",
    auth="oauth2",
    oauth_token_url="https://login.odata.example.com/acme/oauth2/v2.0/token",  # noqa: S106  an address
    oauth_scope="https://graph.odata.example.com/.default",
    oauth_client_auth="body",
    token_with_downloads=False,
    status_path="/reports/exportJobs('{export_job_id}')",
    files_path="/reports/exportJobs('{export_job_id}')/files",
    file_path="/reports/exportJobs('{export_job_id}')/files('{file_id}')",
    status_words={
        "notStarted": "pending",
        "inProgress": "running",
        "completed": "completed",
        "failed": "failed",
        "expired": "expired",
    },
    job_id_field="id",
    files_field="value",
    file_id_field="id",
    file_name_field="fileName",
    download_url_field='"@content.downloadUrl"',
    pagination="next-url",
    next_url_field='"@odata.nextLink"',
    page_size=100,
    limit_param="$top",
)

# After Adobe Experience Platform's batch exports: offsets with a total, ids with "/", a status keyed by the
# job's id, links below `_links`, and a key beside a tenant's header.
BATCHES = ExportApi(
    base_url="https://platform.batches.example.com/data/foundation",
    auth="api-key",
    key_header="x-api-key",
    headers={"x-gw-ims-org-id": "ACME@Org"},
    status_path="/catalog/batches/{export_job_id}",
    files_path="/export/batches/{export_job_id}/files",
    file_path="/export/files/{+file_id}",
    encoded_ids=True,
    status_field="values(@)[0].status",
    status_words={
        "queued": "pending",
        "processing": "running",
        "active": "running",
        "success": "completed",
        "failed": "failed",
        "aborted": "failed",
        "inactive": "expired",
    },
    job_id_field="keys(@)[0]",
    files_field="data",
    file_field="data[0]",
    file_id_field="dataSetFileId",
    file_size_field="length",
    download_url_field="_links.self.href",
    pagination="offset",
    offset_param="start",
    page_size=100,
    total_field="_page.count",
)

PROFILES: Mapping[str, ExportApi] = {
    "default": DEFAULT,
    "artifacts": ARTIFACTS,
    "odata": ODATA,
    "batches": BATCHES,
}
