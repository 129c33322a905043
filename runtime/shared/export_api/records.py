"""Reading a vendor's documents into our words, by the fields that the profile names.

One record that cannot be used is told apart by its reason and holds back no other. No text here quotes a
value that may be a signed URL.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, unquote

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import BeforeValidator, Field, StringConstraints, ValidationError
from pydantic.dataclasses import dataclass as validated_dataclass

from runtime.shared.contracts import Identifier
from runtime.shared.export_api.body import TwoValues
from runtime.shared.export_api.errors import InvalidAnswer
from runtime.shared.export_api.profile import JobStatus, VendorProfile

_DIGITS = re.compile(r"[0-9]{1,19}")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_SIZE = 2**63 - 1
# RFC 6570, section 3.2.3: what {+name} leaves as it is, but for "?" and "#", which would end the path.
_RESERVED = "/:@!$&'()*+,;="


def _size(value: Any) -> int | None:
    # The size is a hint; a vendor that gives "unknown" or -1 must not lose the file over it.
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_SIZE:
        return None
    return value


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


# A page may hold 200,000 of them: with slots each takes 70 bytes beside its strings, as a model 490.
@validated_dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One file of an export, as the API lists it."""

    file_id: Annotated[Identifier, BeforeValidator(_number_as_text)]
    name: Annotated[str, BeforeValidator(_number_as_text), StringConstraints(min_length=1, max_length=4_096)]
    size: Annotated[int | None, BeforeValidator(_size)] = None
    download_url: Annotated[str, StringConstraints(min_length=1, max_length=65_536)] = Field(repr=False)


class UnusableRecord(Exception):
    """A record that is not a file of the contract; the text is its reason."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a page: usable ones, one per file, and a sentence for each unusable one."""

    usable: tuple[FileRecord, ...]
    rejected: tuple[str, ...]
    listed: int
    """Everything in the page's list, repetitions included."""


class RecordReader:
    """Thread-safe. `absolute` makes a download URL absolute, or raises InvalidAnswer."""

    def __init__(self, profile: VendorProfile, absolute: Callable[[str], str]) -> None:
        self._absolute = absolute
        self._status = jmespath.compile(profile.export_api_status_field)
        self._words = profile.export_api_status_words
        job_id = profile.export_api_job_id_field
        self._job_id = jmespath.compile(job_id) if job_id else None
        self._files = jmespath.compile(profile.export_api_files_field)
        self._files_field = profile.export_api_files_field
        self._file = jmespath.compile(profile.export_api_file_field)
        self._max_records = profile.export_api_max_page_records
        self._encoded = profile.export_api_encoded_ids
        self._fields = _reader_of(
            {
                "file_id": profile.export_api_file_id_field,
                "name": profile.export_api_file_name_field,
                "size": profile.export_api_file_size_field,
                "download_url": profile.export_api_download_url_field,
            }
        )

    def status(self, document: Any, export_job_id: str) -> JobStatus:
        """Raises InvalidAnswer."""
        if self._job_id is not None:
            named = search(self._job_id, document)
            if self.own_id(_number_as_text(named)) != export_job_id:
                raise InvalidAnswer(f"the status answer is about another job than {export_job_id}")
        value = search(self._status, document)
        word = value if isinstance(value, str) else json.dumps(value, default=repr)
        if word not in self._words:
            raise InvalidAnswer(f"the job's status is {word[:100]!r}, not one of {', '.join(self._words)}")
        return self._words[word]

    def file(self, document: Any, file_id: str) -> FileRecord:
        """The record of one file. Raises InvalidAnswer."""
        try:
            record = self.record(search(self._file, document))
        except UnusableRecord as fault:
            raise InvalidAnswer(f"the file record of {file_id} is not usable: {fault}") from fault
        if record.file_id != file_id:
            raise InvalidAnswer(f"asked for file {file_id}, the API answers with {record.file_id}")
        return record

    def page(self, document: Any) -> Records:
        """Every record of a page. Raises InvalidAnswer when there is no list, or an endless one."""
        items = search(self._files, document)
        if not isinstance(items, list):
            raise InvalidAnswer(f'the listing has no list "{self._files_field}"')
        if len(items) > self._max_records:
            raise InvalidAnswer(f"a page of the listing holds more than {self._max_records} records")
        return self._records(items)

    def _records(self, items: Sequence[Any]) -> Records:
        usable: dict[str, FileRecord] = {}
        rejected: list[str] = []
        for number, item in enumerate(items, start=1):
            try:
                record = self.record(item)
                known = usable.setdefault(record.file_id, record)
                if known.name != record.name:
                    raise UnusableRecord("file_id: another file of the page has it too")
            except UnusableRecord as fault:
                rejected.append(f"record {number} of the page: {fault}")
        return Records(tuple(usable.values()), tuple(rejected), len(items))

    def record(self, item: Any) -> FileRecord:
        """Raises UnusableRecord."""
        if not isinstance(item, dict):
            raise UnusableRecord(f"it is a JSON {_kind(item)}, not an object")
        try:
            fields = {name: value for name, value in self._fields(item).items() if value is not None}
            if self._encoded and "file_id" in fields:
                fields["file_id"] = self.own_id(_number_as_text(fields["file_id"]))
            url = fields.get("download_url")
            if isinstance(url, str):
                fields["download_url"] = self._absolute(url.strip()) if url.strip() else ""
            return FileRecord(**fields)
        except ValidationError as error:
            raise UnusableRecord(describe(error)) from error
        except (JMESPathError, TwoValues) as error:
            raise UnusableRecord(f"a field cannot be read: {str(error)[:200]}") from error
        except InvalidAnswer as error:
            raise UnusableRecord(f"download_url: {error}") from error

    def own_id(self, vendors: Any) -> Any:
        """The vendor's id as one path segment, where the profile says that it may be more than that."""
        if not self._encoded or not isinstance(vendors, str):
            return vendors
        try:
            return quote(vendors, safe="") if not _climbs(vendors) else vendors
        except UnicodeEncodeError:
            return vendors


def _reader_of(expressions: dict[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A reader of all of a record's fields: one search, or one look each where their names are plain."""
    if all(map(_PLAIN_NAME.fullmatch, expressions.values())):
        return lambda record: {own: record.get(vendors) for own, vendors in expressions.items()}
    both = ", ".join(f"{own}: {vendors}" for own, vendors in expressions.items())
    search: Callable[[dict[str, Any]], dict[str, Any]] = jmespath.compile(f"{{{both}}}").search
    return search


def expand(template: str, ids: dict[str, str], *, encoded: bool) -> str:
    """A path's template with the ids in their places (RFC 6570, levels 1 and 2)."""
    for name, own in ids.items():
        vendors = unquote(own) if encoded else own
        template = template.replace(f"{{{name}}}", quote(vendors, safe=""))
        template = template.replace(f"{{+{name}}}", quote(vendors, safe=_RESERVED))
    return template


def search(expression: jmespath.parser.ParsedResult, document: Any) -> Any:
    """The expression's value. Raises InvalidAnswer when it does not apply to such a document."""
    try:
        return expression.search(document)
    except (JMESPathError, TwoValues) as error:
        raise InvalidAnswer(f"the answer does not fit the profile: {str(error)[:200]}") from error


def describe(error: ValidationError) -> str:
    """The fields at fault, without their values."""
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'record'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)[:3]
    )


def _climbs(value: str) -> bool:
    return any(segment in {"", ".", ".."} for segment in value.split("/"))


def _kind(value: Any) -> str:
    kinds = {str: "string", bool: "boolean", int: "number", float: "number", list: "array"}
    return kinds.get(type(value), "null")
