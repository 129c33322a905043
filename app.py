"""The CDK app: one Stage per environment, so that `cdk deploy "prod/*"` deploys one of them."""

import stacks  # noqa: F401 (first: it chooses the Node.js that aws_cdk starts when imported)

# isort: split
from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from stacks.acknowledgements import stale
from stacks.application import ExportProcessing
from stacks.environments import ENVIRONMENTS

app = cdk.App()
for environment in ENVIRONMENTS:
    ExportProcessing(app, environment=environment)
cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app), NIST80053R5Checks(app))
assembly = app.synth()
if findings := stale(Path(assembly.directory)):
    raise SystemExit("\n".join(findings))
