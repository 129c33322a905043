"""Lists one job with an environment's vendor profile and says field by field what it read.

    python -m runtime.orchestrator.try_profile dev JOB --secret-file secret.json

ENV is an environment, whose variables are read from its synthesized task definition (`cdk synth` first; --app
names the directory), or a JSON file of variables. Variables of the shell that begin with EXPORT_API_ win.
Nothing is sent, written or downloaded. Exit code 0: the listing came to its end and every record is usable;
1: it did not, or one is not; 2: the profile itself cannot be used.
"""

import argparse
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from runtime.shared.circuits import Circuits
from runtime.shared.export_api import ApiError, ExportApi, FileRecord, VendorProfile
from runtime.shared.export_api.auth import authenticator
from runtime.shared.export_api.credentials import SecretStore
from runtime.shared.export_api.transport import DeadlineTransport

_SHOWN_RECORDS = 2
_SHOWN_CHARACTERS = 200

Say = Callable[[str], None]


class UnusableInput(Exception):
    """The environment's variables cannot be found or used."""


class Profile(VendorProfile):
    """The vendor's variables alone."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)


class SecretFile:
    """Stands in for Secrets Manager, with a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: ARG002, N803  the client's names
        return {"SecretString": self._path.read_text()}


class Unguarded(Circuits):
    """No circuits: whoever tries a profile wants to see every answer."""

    def __init__(self) -> None:
        """Nothing is shared with the fleet."""

    def add(self, kind: str, **_: Any) -> None:
        """Nothing is watched."""

    @contextmanager
    def call(self, dependency: str) -> Iterator[Callable[[], None]]:  # noqa: ARG002  as the circuits have it
        yield lambda: None


def variables(environment: str, app: Path) -> dict[str, str]:
    """The vendor's variables, by name. Raises UnusableInput."""
    path = Path(environment)
    found = _read_json(path) if path.is_file() else _of_task_definition(environment, app)
    told = {name: str(value) for name, value in found.items() if isinstance(value, (str, int, float))}
    return told | {name: value for name, value in os.environ.items() if name.startswith("EXPORT_API_")}


def _of_task_definition(environment: str, app: Path) -> Mapping[str, Any]:
    directory = app / f"assembly-{environment}"
    for template in sorted(directory.glob("*.template.json")):
        for resource in _read_json(template).get("Resources", {}).values():
            for container in resource.get("Properties", {}).get("ContainerDefinitions", ()):
                pairs = {pair["Name"]: pair.get("Value") for pair in container.get("Environment", ())}
                if pairs.get("SERVICE_MODE") == "orchestrator":
                    return pairs
    raise UnusableInput(
        f"{environment} is no file, and {directory} has no orchestrator's task definition: "
        "run `cdk synth` first"
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UnusableInput(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise UnusableInput(f"{path} is not a JSON object")
    return document


def profile_of(told: Mapping[str, str], secret_file: Path | None) -> Profile:
    """Raises UnusableInput."""
    values = {name.lower(): value for name, value in told.items()}
    if secret_file is not None:
        values["export_api_secret_arn"] = str(secret_file)
    try:
        return Profile.model_validate(_parsed(values))
    except ValidationError as error:
        sentences = (
            f"{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors()
        )
        raise UnusableInput("; ".join(sentences)) from error


def client(profile: Profile, secret_file: Path | None) -> ExportApi:
    """The services' own client, without their circuits and limits."""
    http = httpx.Client(
        transport=DeadlineTransport(connections=2, deadline_s=profile.export_api_deadline_s),
        timeout=httpx.Timeout(profile.export_api_timeout_s, connect=profile.export_api_connect_timeout_s),
        trust_env=False,
    )
    secrets: Any = SecretFile(secret_file) if secret_file else boto3.client("secretsmanager")
    store = SecretStore(secrets, profile.export_api_secret_arn)
    return ExportApi(profile, http, authenticator(profile, store, http), Unguarded())


def _parsed(values: Mapping[str, str]) -> dict[str, Any]:
    """Lists and mappings are JSON in a variable."""
    return {
        name: json.loads(value) if name in VendorProfile.model_fields and value[:1] in {"[", "{"} else value
        for name, value in values.items()
        if value != ""
    }


def try_job(api: ExportApi, profile: Profile, job: str, say: Say) -> bool:
    """List the job and say what was read; true when all of it is usable. Raises ApiError."""
    status = api.job_status(job)
    words = [word for word, ours in profile.export_api_status_words.items() if ours == status]
    say(f"status       {status}: {profile.export_api_status_field!r} gave {' or '.join(map(repr, words))}")
    if status != "completed":
        say("  a service would not list it now; here it is tried all the same")
    first, whole = _list(api, profile, job, say)
    if first is not None:
        say("The first file again, by itself:")
        say(_described(api.get_file(job, first.file_id), profile))
    return whole


def _list(api: ExportApi, profile: Profile, job: str, say: Say) -> tuple[FileRecord | None, bool]:
    """The first usable record, and whether the end was reached with nothing rejected."""
    position: str | None = None
    files = rejected = 0
    first: FileRecord | None = None
    for number in itertools.count(1):
        page = api.list_files(job, position)
        say(f"Page {number}: {len(page.records)} files, {len(page.rejected)} records rejected")
        for record in page.records[: max(0, _SHOWN_RECORDS - files)]:
            say(_described(record, profile))
        for reason in page.rejected:
            say(f"  rejected: {reason}")
        files, rejected = files + len(page.records), rejected + len(page.rejected)
        first = first or next(iter(page.records), None)
        if page.next_position is None:
            say(f"The listing ends here: {files} files on {number} pages, {rejected} records rejected")
            break
        say(f"  next page by {profile.export_api_pagination}: {_short(page.next_position)}")
        if page.repeats or number >= profile.export_api_max_pages:
            say("The listing does not end: " + ("that is this page" if page.repeats else "too many pages"))
            return first, False
        position = page.next_position
    return first, not rejected


def _described(record: FileRecord, profile: Profile) -> str:
    # The rest of the address may be a signature.
    address, query, _ = record.download_url.partition("?")
    size = "none that is usable" if record.size is None else record.size
    values = {
        "file_id": (profile.export_api_file_id_field, record.file_id),
        "name": (profile.export_api_file_name_field, record.name),
        "size": (profile.export_api_file_size_field, size),
        "download_url": (profile.export_api_download_url_field, address + ("?…" if query else "")),
    }
    return "\n".join(
        f"  {name:13}{_short(str(value))}   ({expression})" for name, (expression, value) in values.items()
    )


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m runtime.orchestrator.try_profile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("environment", metavar="ENV")
    parser.add_argument("job", metavar="JOB")
    parser.add_argument("--app", type=Path, default=Path("cdk.out"), help="what `cdk synth` wrote")
    parser.add_argument("--secret-file", type=Path, help="the secret as JSON, instead of Secrets Manager's")
    arguments = parser.parse_args()
    try:
        told = variables(arguments.environment, arguments.app)
        for name in sorted(name for name in told if name.startswith("EXPORT_API_")):
            print(f"{name}={told[name]}")  # noqa: T201  what it says is its purpose
        profile = profile_of(told, arguments.secret_file)
    except UnusableInput as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    try:
        api = client(profile, arguments.secret_file)
        return 0 if try_job(api, profile, arguments.job, print) else 1
    except ApiError as error:
        print(f"{type(error).__name__}: {error}")  # noqa: T201
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
