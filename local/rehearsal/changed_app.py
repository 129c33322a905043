"""The CDK app with a change to every stack of dev: what a rehearsal deploys over what it deployed first."""

import stacks  # noqa: F401 (first: it chooses the Node.js that aws_cdk starts when imported)

# isort: split
import aws_cdk as cdk

from stacks.application import synthesize
from stacks.environments import DEV

CHANGED = DEV.derive(
    log_retention_days=30,
    storage={"aborted_uploads_days": 16},
    messaging={"visibility_timeout_s": 360},
    worker={"max_tasks": 5},
    orchestrator={"max_tasks": 5},
    alarms={"queue_wait_hours": 10},
)

if __name__ == "__main__":
    synthesize(cdk.App(), [CHANGED])
