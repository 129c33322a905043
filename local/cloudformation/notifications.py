"""SNS subscriptions."""

from local.cloudformation.model import Api, ApiModel, ResourceRequest


class Subscription(ApiModel):
    TYPE = "AWS::SNS::Subscription"
    REPLACED_BY = frozenset({"TopicArn", "Protocol", "Endpoint"})

    @classmethod
    def make(cls, asked: ResourceRequest) -> ApiModel:
        arn = Api.client("sns", asked.region).subscribe(
            TopicArn=asked.properties["TopicArn"],
            Protocol=asked.properties["Protocol"],
            Endpoint=asked.properties["Endpoint"],
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return cls(arn, asked)

    def change(self, asked: ResourceRequest) -> ApiModel:
        return type(self)(self.physical_id, asked)

    def remove(self) -> None:
        Api.client("sns", self.asked.region).unsubscribe(SubscriptionArn=self.physical_id)
