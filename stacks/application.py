"""One environment's whole system: which stacks there are, what each is given, and what they are held to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks
from constructs import Construct

from stacks.acknowledgements import StaleAcknowledgements, stale
from stacks.data_names import manifest_prefix
from stacks.messaging import MessagingStack
from stacks.network import NetworkStack
from stacks.notifications import NotificationsStack
from stacks.observability import ObservabilityStack
from stacks.orchestrator import OrchestratorStack
from stacks.storage import StorageStack
from stacks.validation.plugin import Invariants
from stacks.values import SYSTEM, Environment, refuse_conflicts
from stacks.worker import WorkerStack


class ExportProcessing(cdk.Stage):
    """Builds:

    - `network`: where tasks run;
    - `storage` and `messaging`: what must not be lost;
    - `orchestrator` and `worker`: the services, each deployable alone;
    - `notifications`: what became of exports, for people, where the environment wants it;
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
        self.storage = StorageStack(self, "storage", environment=environment)
        self.network = NetworkStack(self, "network", environment=environment, storage=self.storage)
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
        # In the assembly beside the template, for the capacity model: what the sizes are for.
        self.worker.node.add_metadata(
            "load",
            environment.load.model_dump() | {"queue_wait_hours": environment.alarms.queue_wait_hours},
        )
        # Who reads a message learns a new form of it before anybody writes one.
        self.orchestrator.add_stack_dependency(self.worker, "consumers before producers")
        self.observability = ObservabilityStack(
            self,
            "observability",
            environment=environment,
            storage=self.storage,
            messaging=self.messaging,
            orchestrator=self.orchestrator,
            worker=self.worker,
        )
        if environment.notifications is not None:
            self.notifications = NotificationsStack(
                self,
                "notifications",
                environment=environment,
                notifications=environment.notifications,
                storage=self.storage,
                manifest_prefix=manifest_prefix(environment.worker),
            )
        cdk.Tags.of(self).add("system", SYSTEM)
        cdk.Tags.of(self).add("environment", environment.name)


def synthesize(app: cdk.App, environments: Sequence[Environment]) -> Path:
    """Synthesize the environments under every check; the directory of the assembly.

    Raises Conflict or StaleAcknowledgements; a finding of the policy packs or an invariant ends the synthesis
    in the CDK.
    """
    refuse_conflicts(environments)
    for environment in environments:
        ExportProcessing(app, environment=environment)
    # On the app and not on each stage: a plugin sees all templates and would report them once per stage.
    cdk.Validations.of(app).add_plugins(
        AwsSolutionsChecks(app), NIST80053R5Checks(app), Invariants(environments)
    )
    assembly = Path(app.synth().directory)
    if outlived := stale(assembly):
        raise StaleAcknowledgements(outlived)
    return assembly
