"""Each sample vendor keeps its own description: Schemathesis asks what the description allows and more, and
checks every answer against it.
"""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from local.export_api.archives import Blob
from local.export_api.catalogue import Catalogue, Export, ExportFile
from local.export_api.dialects import DIALECTS, own_id
from local.export_api.server import ExportApiServer
from tests.stacks.conftest import ROOT

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
JOB = {"words": "export-1", "numbers": "4711", "paths": "export-1"}
FILES = {
    "words": [f"file-{number}" for number in range(5)],
    "numbers": [str(900 + number) for number in range(5)],
    "paths": [f"export-1/part/{number}" for number in range(5)],
}
HEADERS = {
    "default": {},
    "artifacts": {"X-Api-Version": "2026-03-10"},
    "odata": {},
    "batches": {"x-gw-ims-org-id": "ACME@Org"},
}


@pytest.fixture(params=DIALECTS)
def vendor(request) -> Iterator[tuple[str, ExportApiServer, dict[str, str]]]:
    """A sample vendor's name, its server, and headers that it accepts."""
    name = request.param
    ids = DIALECTS[name].ids
    files = [
        ExportFile(file_id=own_id(ids, file_id), name=f"{number}.zip", archive=Blob(b"x" * number))
        for number, file_id in enumerate(FILES[ids])
    ]
    exports = [Export(JOB[ids], files), Export("9", [], status="running"), Export("8", [], status="failed")]
    with ExportApiServer(Catalogue.of(exports), token="t", profile=name) as server:
        token = "t"
        if server.dialect.grants_tokens:
            form = {"grant_type": "client_credentials", "client_id": "c", "client_secret": "t"}
            token = httpx.post(f"{server.origin}/oauth2/v2.0/token", data=form).json()["access_token"]
        credentials = {"x-api-key": "t"} if name == "batches" else {"Authorization": f"Bearer {token}"}
        yield name, server, HEADERS[name] | credentials


def test_a_sample_keeps_its_description(vendor):
    name, server, headers = vendor
    schema = schemathesis.openapi.from_path(ROOT / "docs" / "profiles" / f"{name}.openapi.yaml")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 3
    for operation in operations:
        statuses = asked(operation, server, headers)
        assert statuses & {200, 302}, f"{operation.label}: {statuses}"


def asked(operation: Any, server: ExportApiServer, headers: dict[str, str]) -> set[int]:
    """Ask for what the operation allows, real ids among it, and check every answer; gives their statuses."""
    statuses: set[int] = set()
    jobs, files = [JOB[server.dialect.ids]] * 4 + ["8", "9"], FILES[server.dialect.ids]
    names = [parameter.name for parameter in operation.path_parameters]
    real = st.fixed_dictionaries(
        {name: st.sampled_from(files if re.search("file|artifact", name) else jobs) for name in names}
    )

    @settings(
        max_examples=16,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), ids=st.none() | real)
    def ask(case: Any, ids: dict[str, str] | None) -> None:
        if ids is not None:
            case.path_parameters, case.query = ids, {}
        sent = {**(case.headers or {}), **headers}
        answer = case.call(base_url=server.base_url, headers=sent, allow_redirects=False)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    ask()
    return statuses


def test_a_sample_refuses_who_does_not_prove_who_it_is(vendor):
    _, server, headers = vendor
    path = {
        "default": "/v1/exports/export-1",
        "artifacts": "/actions/runs/4711",
        "odata": "/reports/exportJobs('export-1')",
        "batches": "/catalog/batches/export-1",
    }[vendor[0]]
    assert httpx.get(server.base_url + path, headers=headers).status_code == 200
    wrong = {name: "Bearer no" if name == "Authorization" else value for name, value in headers.items()}
    wrong |= {"x-api-key": "no"} if "x-api-key" in wrong else {}
    assert httpx.get(server.base_url + path, headers=wrong).status_code == 401
