"""The names of the data: the worker's settings say them, and all that the stacks build around it follows.

Defaults are the runtime's own, read from runtime/settings.schema.json.
"""

from stacks.runtime_settings import settings_schema
from stacks.values import Service


def object_prefix(worker: Service) -> str:
    """The prefix of extracted files."""
    return _name(worker, "OBJECT_PREFIX")


def manifest_prefix(worker: Service) -> str:
    """The prefix of the manifests."""
    return _name(worker, "MANIFEST_PREFIX")


def written_prefixes(worker: Service) -> tuple[str, ...]:
    """Every prefix that the worker writes under; a metadata item may send a file to the later ones."""
    chosen = (prefix.strip() for prefix in _name(worker, "DESTINATION_PREFIXES").split(","))
    named = (object_prefix(worker), manifest_prefix(worker), *chosen)
    return tuple(dict.fromkeys(prefix for prefix in named if prefix))


def metadata_keys(worker: Service) -> tuple[str, str]:
    """The metadata table's partition key and sort key."""
    return _name(worker, "METADATA_JOB_ATTRIBUTE"), _name(worker, "METADATA_PATH_ATTRIBUTE")


def _name(worker: Service, variable: str) -> str:
    # Empty text means the default to the runtime.
    return str(worker.settings.get(variable) or settings_schema()["worker"][variable]["default"])
