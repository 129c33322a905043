"""Which exports the API offers. Tests and the fault campaign may change it while the server runs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from local.export_api.archives import Archive

Status = Literal["pending", "running", "completed", "failed", "expired"]


@dataclass(frozen=True, kw_only=True)
class ExportFile:
    """One archive of an export, as the API lists it."""

    file_id: str
    name: str
    archive: Archive
    lists_size: bool = True  # `size` is optional in the contract
    honours_range: bool = True  # so is answering 206
    relative_url: bool = False  # and so is an absolute download_url


@dataclass
class Export:
    """One export job."""

    job_id: str
    files: list[ExportFile]
    status: Status = "completed"

    def file(self, file_id: str) -> ExportFile | None:
        return next((file for file in self.files if file.file_id == file_id), None)


@dataclass
class Catalogue:
    """Every export by its id."""

    exports: dict[str, Export] = field(default_factory=dict)

    @classmethod
    def of(cls, exports: Iterable[Export]) -> "Catalogue":
        return cls({export.job_id: export for export in exports})

    def add(self, export: Export) -> Export:
        self.exports[export.job_id] = export
        return export
