"""Are we keeping up, what is failing, what does it cost: the dashboard, the alarms, and who is told."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.acknowledgements import acknowledge
from stacks.constructs.dashboard import Dashboard
from stacks.constructs.event_counter import EventCounter, EventLogsPolicy
from stacks.constructs.runbook_alarm import RunbookAlarm
from stacks.constructs.service_alarms import ServiceAlarms
from stacks.constructs.theme import Theme
from stacks.messaging import MessagingStack
from stacks.orchestrator import OrchestratorStack
from stacks.runtime_metrics import runtime_metric
from stacks.storage import StorageStack
from stacks.values import Environment
from stacks.worker import WorkerStack

_HOUR = cdk.Duration.hours(1)
_FIVE_MINUTES = cdk.Duration.minutes(5)
_MINUTE = cdk.Duration.minutes(1)
# A vendor's archives have a bad entry now and then; a share like this is a cause and not chance.
_REJECTED_PERCENT = 2
# A listing page takes seconds; an archive may take hours, and then other archives still finish beside it.
_ORCHESTRATOR_SILENCE_MINUTES = 60
_WORKER_SILENCE_MINUTES = 120
# Ten files or a hundred thousand: a listing hands itself over long before.
_LONGEST_LISTING_HOURS = 1


class ObservabilityStack(cdk.Stack):
    """Builds:

    - alarms for each service and its queue, for the Export API's circuit, Spot interruptions and deployments;
    - one composite alarm for each theme, so that none mutes another, and the topic that they tell;
    - the dashboard.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        environment: Environment,
        storage: StorageStack,
        messaging: MessagingStack,
        orchestrator: OrchestratorStack,
        worker: WorkerStack,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id_, **kwargs)
        self._environment = environment
        interruptions, failed_deployments = self._spot_interruptions(), self._failed_deployments()
        EventLogsPolicy(self, "EventLogs", counters=[interruptions, failed_deployments])
        orchestrator_alarms = ServiceAlarms(
            self,
            "orchestrator",
            service=orchestrator.service,
            work=messaging.all_export_jobs,
            size=environment.orchestrator,
            values=environment.alarms,
            runbook=environment.runbook_url,
            longest_work_hours=_LONGEST_LISTING_HOURS,
            no_completions_minutes=_ORCHESTRATOR_SILENCE_MINUTES,
        )
        worker_alarms = ServiceAlarms(
            self,
            "worker",
            service=worker.service,
            work=messaging.all_download_tasks,
            size=environment.worker,
            values=environment.alarms,
            runbook=environment.runbook_url,
            longest_work_hours=environment.load.longest_archive_hours,
            no_completions_minutes=_WORKER_SILENCE_MINUTES,
        )
        services = (orchestrator_alarms, worker_alarms)
        topic = self._topic(storage)
        themes = [
            Theme(
                self,
                id_,
                name=name,
                meaning=f"{environment.name}: {meaning}",
                alarms=alarms,
                topic=topic,
                runbook=environment.runbook_url,
            )
            for id_, name, meaning, alarms in (
                (
                    "DataAtRisk",
                    "data-at-risk",
                    "messages need a decision, or they are lost.",
                    [alarm for service in services for alarm in service.data_at_risk],
                ),
                (
                    "FilesMissing",
                    "files-missing",
                    "what came of an export is not what its metadata expects.",
                    [self._incomplete_alarm(), self._rejections_alarm()],
                ),
                (
                    "StandingStill",
                    "standing-still",
                    "there is work, and nothing is done.",
                    [
                        *(alarm for service in services for alarm in service.standing_still),
                        self._circuit_alarm("orchestrator"),
                        self._circuit_alarm("worker"),
                    ],
                ),
                (
                    "FallingBehind",
                    "falling-behind",
                    "work waits longer than it should.",
                    [
                        *(alarm for service in services for alarm in service.falling_behind),
                        self._failing_alarm("orchestrator"),
                        self._failing_alarm("worker"),
                    ],
                ),
                (
                    "CostAndCapacity",
                    "cost-and-capacity",
                    "what the services run on is short, or a deployment failed.",
                    [
                        *(alarm for service in services for alarm in service.cost_and_capacity),
                        self._interruptions_alarm(interruptions),
                        self._deployment_alarm(failed_deployments),
                    ],
                ),
            )
        ]
        alarms = [
            *(alarm for service in services for alarm in service.shown),
            *(alarm for theme in themes for alarm in theme.alarms),
        ]
        Dashboard(
            self,
            "Dashboard",
            environment=environment,
            messaging=messaging,
            orchestrator=orchestrator.service,
            worker=worker.service,
            waits=[service.queue_wait_hours for service in services],
            interruptions=interruptions,
            alarms=alarms,
        )
        cdk.CfnOutput(self, "AlarmTopicArn", value=topic.topic_arn)

    def _incomplete_alarm(self) -> RunbookAlarm:
        return RunbookAlarm(
            self,
            "IncompleteJobs",
            runbook=self._environment.runbook_url,
            section="incomplete-jobs",
            meaning="Jobs ended although files that the metadata expects for them are not in S3.",
            metric=runtime_metric(self._environment.name, "worker", "JobsIncomplete", period=_FIVE_MINUTES),
            threshold=1,
            for_minutes=5,
            period=_FIVE_MINUTES,
        )

    def _rejections_alarm(self) -> RunbookAlarm:
        # Entries that nobody expects are no fault of anyone's, however many there are.
        metrics = {
            name.lower(): runtime_metric(self._environment.name, "worker", name, period=_FIVE_MINUTES)
            for name in ("EntriesMatched", "EntriesRejected", "EntriesWithoutMetadata")
        }
        return RunbookAlarm(
            self,
            "RejectedEntries",
            runbook=self._environment.runbook_url,
            section="rejected-entries",
            meaning=f"{_REJECTED_PERCENT} % or more of the entries that should be in S3 are rejected.",
            metric=cloudwatch.MathExpression(
                expression="IF(entriesmatched + entriesrejected > entrieswithoutmetadata, "
                "100 * (entriesrejected - entrieswithoutmetadata) "
                "/ (entriesmatched + entriesrejected - entrieswithoutmetadata), 0)",
                label="rejected, percent of the entries with metadata",
                period=_FIVE_MINUTES,
                using_metrics=metrics,
            ),
            threshold=_REJECTED_PERCENT,
            for_minutes=15,
            period=_FIVE_MINUTES,
        )

    def _interruptions_alarm(self, interruptions: EventCounter) -> RunbookAlarm:
        return RunbookAlarm(
            self,
            "SpotInterruptionsAlarm",
            runbook=self._environment.runbook_url,
            section="spot-interruptions",
            meaning="AWS takes back many of the workers' Spot tasks.",
            metric=interruptions.metric(period=_HOUR),
            threshold=max(5, self._environment.worker.max_tasks // 5),
            for_minutes=60,
            period=_HOUR,
        )

    def _deployment_alarm(self, failed_deployments: EventCounter) -> RunbookAlarm:
        return RunbookAlarm(
            self,
            "FailedDeploymentAlarm",
            runbook=self._environment.runbook_url,
            section="failed-deployment",
            meaning="ECS gave up on a deployment and rolled it back.",
            metric=failed_deployments.metric(period=_MINUTE),
            threshold=1,
            for_minutes=1,
            period=_MINUTE,
        )

    def _failing_alarm(self, service: str) -> RunbookAlarm:
        # Every retry is a fresh message, so the age of the oldest one cannot tell.
        hours = self._environment.alarms.oldest_message_hours
        return RunbookAlarm(
            self,
            f"{service}-FailingWork",
            runbook=self._environment.runbook_url,
            section="failing-work",
            meaning=f"Some work of the {service} has failed for {hours:g} h without progress.",
            metric=runtime_metric(
                self._environment.name, service, "FailingSeconds", statistic="Maximum", period=_FIVE_MINUTES
            ),
            threshold=hours * 3600,
            for_minutes=5,
            period=_FIVE_MINUTES,
        )

    def _circuit_alarm(self, service: str) -> RunbookAlarm:
        return RunbookAlarm(
            self,
            f"{service}-CircuitOpen",
            runbook=self._environment.runbook_url,
            section="circuit-open",
            meaning=f"What the {service} depends on fails, and it has stopped asking.",
            metric=runtime_metric(
                self._environment.name, service, "CircuitState", statistic="Maximum", period=_MINUTE
            ),
            threshold=1,
            for_minutes=10,
            period=_MINUTE,
        )

    def _spot_interruptions(self) -> EventCounter:
        return EventCounter(
            self,
            "SpotInterruptions",
            description="Tasks that ended because AWS took the Spot capacity back",
            source="aws.ecs",
            detail_type="ECS Task State Change",
            detail={
                "clusterArn": [self._ecs_arn("cluster", self._environment.cluster_name)],
                "lastStatus": ["STOPPED"],
                "stopCode": ["SpotInterruption"],
            },
            retention_days=self._environment.log_retention_days,
        )

    def _failed_deployments(self) -> EventCounter:
        return EventCounter(
            self,
            "FailedDeployments",
            description="Deployments of the services that failed",
            source="aws.ecs",
            detail_type="ECS Deployment State Change",
            detail={"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
            resources=[{"prefix": self._ecs_arn("service", f"{self._environment.cluster_name}/")}],
            retention_days=self._environment.log_retention_days,
        )

    def _ecs_arn(self, resource: str, name: str) -> str:
        return self.format_arn(service="ecs", resource=resource, resource_name=name)

    def _topic(self, storage: StorageStack) -> sns.Topic:
        topic = sns.Topic(
            self,
            "Alarms",
            display_name=f"Export processing {self._environment.name}",
            enforce_ssl=True,
            master_key=storage.key,
        )
        if storage.key is None:
            acknowledge(
                topic,
                {"NIST.800.53.R5-SNSEncryptedKMS": "Names of alarms, no content; no CMK in this environment"},
            )
        # CDK's TLS-only policy replaces SNS's own, which would have let the account's alarms publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": self.account},
                    "ArnLike": {
                        "aws:SourceArn": self.format_arn(
                            service="cloudwatch",
                            resource="alarm",
                            resource_name="*",
                            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                        )
                    },
                },
            )
        )
        if self._environment.alarms.email is not None:
            topic.add_subscription(subscriptions.EmailSubscription(self._environment.alarms.email))
        return topic
