"""The app synthesized once per session, in-process and with the context of `cdk.json`."""

import json
from pathlib import Path

import pytest

import stacks  # noqa: F401 (first: it chooses the Node.js that aws_cdk starts when imported)

# isort: split
import aws_cdk as cdk

from stacks.application import synthesize
from stacks.environments import ENVIRONMENTS
from stacks.validation.deployment import Deployment
from stacks.values import Environment

ROOT = Path(__file__).resolve().parents[2]
# The second is what the CLI adds: construct paths in the templates.
CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"] | {"aws:cdk:enable-path-metadata": True}


@pytest.fixture(scope="session")
def assembly(tmp_path_factory) -> Path:
    app = cdk.App(context=CONTEXT, outdir=str(tmp_path_factory.mktemp("cdk.out")))
    return synthesize(app, ENVIRONMENTS)


def read(assembly: Path, environment: Environment) -> Deployment:
    return Deployment.read(environment, (assembly / f"assembly-{environment.name}").glob("*.template.json"))


@pytest.fixture(scope="session")
def deployments(assembly) -> dict[str, Deployment]:
    """Every environment's synthesized templates, by name; tests copy before they change anything."""
    return {environment.name: read(assembly, environment) for environment in ENVIRONMENTS}


@pytest.fixture(scope="session", params=[environment.name for environment in ENVIRONMENTS])
def deployment(request, deployments) -> Deployment:
    return deployments[request.param]
