"""The CDK app: one Stage per environment, so that `cdk deploy "prod/*"` deploys one of them."""

import stacks  # noqa: F401 (first: it chooses the Node.js that aws_cdk starts when imported)

# isort: split
import aws_cdk as cdk

from stacks.application import ExportProcessing
from stacks.environments import ENVIRONMENTS

app = cdk.App()
for environment in ENVIRONMENTS:
    ExportProcessing(app, environment=environment)
app.synth()
