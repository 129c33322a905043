"""The part of the checker that looks at S3: objects byte for byte, manifests entry for entry."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from local.faults.judge.counted import missing_when_announced
from local.faults.judge.judgement import Judgement

_IN_S3 = {"uploaded", "already-present"}


def check_objects(expected: Mapping[str, Any], seen: Mapping[str, Any], judgement: Judgement) -> None:
    """Every expected object and manifest is there and right, and nothing else is."""
    objects = seen["objects"]
    wanted = set(expected["objects"])
    for key, want in expected["objects"].items():
        _judge_object(key, want, objects.get(key), judgement)
    for file, entries in expected["entries"].items():
        manifest, lines = f"manifests/{file}.json", f"manifests/{file}.entries.jsonl"
        wanted |= {manifest, lines}
        _judge(
            manifest, objects.get(manifest), _manifest_faults(file, entries, objects.get(manifest)), judgement
        )
        _judge(lines, objects.get(lines), _lines_faults(entries, objects.get(lines)), judgement)
    rejected = Counter(
        outcome
        for entries in expected["entries"].values()
        for outcome in entries.values()
        if outcome not in _IN_S3
    )
    judgement.rejected = dict(sorted(rejected.items()))
    for job in expected.get("missing", ()):
        paths = missing_when_announced(job, expected, seen)
        key = f"manifests/{job}/missing.jsonl"
        wanted.add(key)
        # An empty one says that what once was missing is there.
        if paths or key in objects:
            _judge(key, objects.get(key), _missing_faults(paths, objects.get(key)), judgement)
    for key in sorted(set(objects) - wanted):
        if not _part_of_a_split(key, expected):
            judgement.add("extra", f"{key} is not an object that anything leads to")


def _judge_object(
    key: str, want: Mapping[str, Any], have: Mapping[str, Any] | None, judgement: Judgement
) -> None:
    faults = []
    if have:
        faults = [
            f"{name} is {have[name]!r} instead of {want[name]!r}"
            for name in ("size", "sha256")
            if have[name] != want[name]
        ]
        judgement.bytes_compared += have["size"]
        judgement.objects += 1
        # User metadata is ASCII; the rest is percent-encoded.
        said = {name: unquote(text) for name, text in have["metadata"].items()}
        for header, name in (("export-job-id", "job"), ("file-id", "file"), ("sha256", "sha256")):
            # Where the metadata table has no digest, none needs to be known before the upload begins.
            unknown = header == "sha256" and want.get("undigested") and header not in said
            if said.get(header) != want[name] and not unknown:
                faults.append(f"metadata {header} is {said.get(header)!r}")
    _judge(key, have, faults, judgement)


def _judge(key: str, have: Mapping[str, Any] | None, faults: list[str], judgement: Judgement) -> None:
    judgement.expected += 1
    if have is None:
        judgement.add("missing", f"{key} is not there")
    elif faults:
        judgement.add("wrong", f"{key}: {'; '.join(faults)}")
    else:
        judgement.present += 1


def _manifest_faults(file: str, entries: Mapping[str, str], have: Mapping[str, Any] | None) -> list[str]:
    if have is None:
        return []
    try:
        manifest = json.loads(have["text"])
        found, named = _merged(manifest["outcomes"]), f"{manifest['export_job_id']}/{manifest['file_id']}"
    except (ValueError, KeyError, TypeError) as error:
        return [f"it is not a manifest ({error!r})"]
    faults = [] if named == file else [f"it is the manifest of {named}"]
    wanted = Counter(entries.values())
    if found != dict(wanted):
        faults.append(f"outcomes {found} instead of {dict(wanted)}")
    return faults


def _merged(outcomes: Mapping[str, int]) -> dict[str, int]:
    """A later attempt finds what an earlier one has uploaded: both mean that it is in S3."""
    merged: Counter[str] = Counter()
    for outcome, count in outcomes.items():
        merged["uploaded" if outcome in _IN_S3 else outcome] += count
    return {outcome: count for outcome, count in merged.items() if count}


def _lines_faults(entries: Mapping[str, str], have: Mapping[str, Any] | None) -> list[str]:
    if have is None:
        return []
    try:
        lines = [json.loads(line) for line in have["text"].splitlines()]
        found = [
            (line["path"], "uploaded" if line["outcome"] in _IN_S3 else line["outcome"]) for line in lines
        ]
    except (ValueError, KeyError, TypeError) as error:
        return [f"it is not a list of entries ({error!r})"]
    faults = [
        f"{path} is listed {count} times" for path, count in Counter(p for p, _ in found).items() if count > 1
    ]
    if dict(found) != dict(entries):
        differing = sorted(set(dict(found).items()) ^ set(entries.items()))
        faults.append(f"entries differ: {differing[:4]}")
    return faults


def _missing_faults(paths: Sequence[str], have: Mapping[str, Any] | None) -> list[str]:
    if have is None:
        return []
    try:
        found = [json.loads(line)["path"] for line in have["text"].splitlines()]
    except (ValueError, KeyError, TypeError) as error:
        return [f"it is not a list of missing files ({error!r})"]
    return [] if sorted(found) == sorted(paths) else [f"it names {found[:4]} instead of {list(paths)[:4]}"]


def _part_of_a_split(key: str, expected: Mapping[str, Any]) -> bool:
    """The parts of a split archive's manifest may stay below it."""
    file, parts, _ = key.removeprefix("manifests/").partition(".parts/")
    return bool(parts) and key.startswith("manifests/") and file in expected["files"]
