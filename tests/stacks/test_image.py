"""The image asset: what its hash follows, and that it holds what the services use."""

import ast
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs

from runtime.image import rootfs
from stacks.constructs import service_image
from stacks.environments import DEV
from stacks.values import Environment

RUNTIME = service_image.RUNTIME
BASE = "example.com/python@sha256:" + "0" * 64


def asset_hash(directory: Path, environment: Environment = DEV) -> str:
    """The hash under which `cdk deploy` would look for the image."""
    app = cdk.App()
    stack = cdk.Stack(app, "S")
    definition = ecs.FargateTaskDefinition(stack, "T")
    definition.add_container("app", image=service_image.service_image(environment, directory))
    manifest = json.loads(Path(app.synth().directory, "S.assets.json").read_text())
    (image,) = manifest["dockerImages"]
    return str(image)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "runtime"
    shutil.copytree(RUNTIME, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def _new_module(directory: Path) -> None:
    (directory / "worker" / "more.py").write_text("")


def _new_lock(directory: Path) -> None:
    (directory / "requirements.txt").write_text("")


def _byte_code(directory: Path) -> None:
    (directory / "worker" / "__pycache__").mkdir()
    (directory / "worker" / "__pycache__" / "handler.cpython-313.pyc").write_bytes(b"x")


def _wishes(directory: Path) -> None:
    (directory / "requirements.in").write_text("# locked later\n")


@pytest.mark.parametrize(
    ("change", "other"), [(_new_module, True), (_new_lock, True), (_byte_code, False), (_wishes, False)]
)
def test_the_hash_follows_what_goes_into_the_image(
    copy: Path, change: Callable[[Path], None], other: bool
) -> None:
    before = asset_hash(copy)
    change(copy)
    assert (asset_hash(copy) != before) is other


def test_a_commit_that_leaves_the_runtime_alone_builds_no_new_image(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = asset_hash(copy)
    monkeypatch.setattr(service_image, "revision", lambda: "another commit")
    assert asset_hash(copy) == before


def test_another_base_is_another_image(copy: Path) -> None:
    assert asset_hash(copy, DEV.model_copy(update={"base_image": BASE})) != asset_hash(copy)


def _clients_made(directory: Path) -> set[str]:
    found: set[str] = set()
    for source in directory.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                name = node.args[0]
                if node.func.attr in ("client", "resource") and isinstance(name, ast.Constant):
                    found.add(str(name.value))
    return found


def test_the_image_keeps_the_descriptions_of_every_service_that_a_client_is_made_of() -> None:
    assert _clients_made(RUNTIME) <= rootfs.SERVICES


def test_nothing_of_the_tests_or_the_stacks_goes_into_the_image() -> None:
    imported: set[str] = set()
    for source in RUNTIME.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
            elif isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
    assert not imported & {"tests", "stacks", "ops", "local", "aws_cdk", "moto", "pytest"}
