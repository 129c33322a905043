"""Secrets Manager: a secret without a value, as a template without one makes it."""

from local.cloudformation.model import Api, ApiModel, ResourceRequest


class Secret(ApiModel):
    TYPE = "AWS::SecretsManager::Secret"
    GETATT = ("Id",)
    REPLACED_BY = frozenset({"Name"})

    @classmethod
    def make(cls, asked: ResourceRequest) -> ApiModel:
        arn = Api.client("secretsmanager", asked.region).create_secret(
            Name=asked.properties.get("Name", asked.name)
        )["ARN"]
        return cls(arn, asked, {"Id": arn})

    def change(self, asked: ResourceRequest) -> ApiModel:
        """Its value is an operator's, and stays."""
        return type(self)(self.physical_id, asked, self.attributes)

    def remove(self) -> None:
        Api.client("secretsmanager", self.asked.region).delete_secret(
            SecretId=self.physical_id, ForceDeleteWithoutRecovery=True
        )
