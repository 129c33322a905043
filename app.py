"""The CDK app: one Stage per environment, so that `cdk deploy "prod/*"` deploys one of them."""

import stacks  # noqa: F401 (first: it chooses the Node.js that aws_cdk starts when imported)

# isort: split
import aws_cdk as cdk

from stacks.acknowledgements import StaleAcknowledgements
from stacks.application import synthesize
from stacks.environments import ENVIRONMENTS
from stacks.settings import NotASetting
from stacks.values import Conflict

try:
    synthesize(cdk.App(), ENVIRONMENTS)
except (Conflict, NotASetting, StaleAcknowledgements) as error:
    raise SystemExit(str(error)) from None
