"""Resource policies of queues, topics and buckets.

Statements with a Condition are left out and said so: moto ignores conditions, and a deny of plain HTTP would
deny everything.
"""

import json
from typing import ClassVar

from local.cloudformation.model import Api, ApiModel, Properties, ResourceRequest


class _ResourcePolicy(ApiModel):
    HOLDERS: ClassVar[str]
    """The property that names whose policy it is: one, or a list."""

    @classmethod
    def make(cls, asked: ResourceRequest) -> ApiModel:
        policy = cls._without_conditions(asked)
        for holder in cls._holders(asked):
            if policy is not None:
                cls.write(asked.region, holder, json.dumps(policy))
        return cls(asked.name, asked)

    def remove(self) -> None:
        for holder in self._holders(self.asked):
            self.write(self.asked.region, holder, "")

    @classmethod
    def write(cls, region: str, holder: str, policy: str) -> None:
        """Set the policy of one holder; an empty text takes it away."""
        raise NotImplementedError

    @classmethod
    def _holders(cls, asked: ResourceRequest) -> list[str]:
        named = asked.properties[cls.HOLDERS]
        return named if isinstance(named, list) else [named]

    @classmethod
    def _without_conditions(cls, asked: ResourceRequest) -> Properties | None:
        policy = asked.properties["PolicyDocument"]
        kept = [statement for statement in policy["Statement"] if not statement.get("Condition")]
        if len(kept) < len(policy["Statement"]):
            Api.say(f"{asked.logical_id}: statements with a Condition (moto ignores conditions)")
        return {**policy, "Statement": kept} if kept else None


class QueuePolicy(_ResourcePolicy):
    TYPE = "AWS::SQS::QueuePolicy"
    HOLDERS = "Queues"

    @classmethod
    def write(cls, region: str, holder: str, policy: str) -> None:
        Api.client("sqs", region).set_queue_attributes(QueueUrl=holder, Attributes={"Policy": policy})


class TopicPolicy(_ResourcePolicy):
    TYPE = "AWS::SNS::TopicPolicy"
    HOLDERS = "Topics"

    @classmethod
    def write(cls, region: str, holder: str, policy: str) -> None:
        if policy:  # a topic cannot be without one
            Api.client("sns", region).set_topic_attributes(
                TopicArn=holder, AttributeName="Policy", AttributeValue=policy
            )


class BucketPolicy(_ResourcePolicy):
    TYPE = "AWS::S3::BucketPolicy"
    HOLDERS = "Bucket"
    REPLACED_BY = frozenset({"Bucket"})

    @classmethod
    def write(cls, region: str, holder: str, policy: str) -> None:
        s3 = Api.client("s3", region)
        if policy:
            s3.put_bucket_policy(Bucket=holder, Policy=policy)
        else:
            s3.delete_bucket_policy(Bucket=holder)
