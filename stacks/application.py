"""One environment's whole system: which stacks there are and what each is given."""

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from stacks.messaging import MessagingStack
from stacks.network import NetworkStack
from stacks.observability import ObservabilityStack
from stacks.orchestrator import OrchestratorStack
from stacks.storage import StorageStack
from stacks.values import SYSTEM, Environment
from stacks.worker import WorkerStack


class ExportProcessing(cdk.Stage):
    """Builds:

    - `network`: where tasks run;
    - `storage` and `messaging`: what must not be lost;
    - `orchestrator` and `worker`: the services, each deployable alone;
    - `observability`: the dashboard, the alarms, and who is told.
    """

    def __init__(self, scope: Construct, *, environment: Environment, **kwargs: Any) -> None:
        super().__init__(
            scope,
            environment.name,
            stage_name=f"{SYSTEM}-{environment.name}",
            env=cdk.Environment(account=environment.account, region=environment.region),
            **kwargs,
        )
        self.environment = environment
        self.network = NetworkStack(self, "network", environment=environment)
        self.storage = StorageStack(self, "storage", environment=environment)
        self.messaging = MessagingStack(self, "messaging", environment=environment)
        self.orchestrator = OrchestratorStack(
            self,
            "orchestrator",
            environment=environment,
            network=self.network,
            storage=self.storage,
            messaging=self.messaging,
        )
        self.worker = WorkerStack(
            self,
            "worker",
            environment=environment,
            network=self.network,
            storage=self.storage,
            messaging=self.messaging,
        )
        self.observability = ObservabilityStack(
            self,
            "observability",
            environment=environment,
            network=self.network,
            storage=self.storage,
            messaging=self.messaging,
            orchestrator=self.orchestrator,
            worker=self.worker,
        )
        cdk.Tags.of(self).add("system", SYSTEM)
        cdk.Tags.of(self).add("environment", environment.name)
