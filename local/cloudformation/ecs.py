"""ECS: task definitions with all they say, capacity providers, and services and clusters that go."""

from typing import Any

from local.cloudformation.model import Api, ApiModel, Properties, ResourceRequest, camel


class TaskDefinition(ApiModel):
    """moto has this type but drops the roles, the size, the volumes' sizes and the platform.

    Every change is a replacement: a new revision, and the old one is deregistered.
    """

    TYPE = "AWS::ECS::TaskDefinition"
    GETATT = ("TaskDefinitionArn",)

    @classmethod
    def make(cls, asked: ResourceRequest) -> ApiModel:
        arguments: dict[str, Any] = camel(asked.properties)
        arguments["tags"] = [{"key": tag["key"], "value": tag["value"]} for tag in arguments.get("tags", ())]
        if "ephemeralStorage" in arguments:
            arguments["ephemeralStorage"] = {"sizeInGiB": int(arguments["ephemeralStorage"]["sizeInGiB"])}
        definition = Api.client("ecs", asked.region).register_task_definition(**arguments)["taskDefinition"]
        arn = definition["taskDefinitionArn"]
        return cls(arn, asked, {"TaskDefinitionArn": arn})

    def change(self, asked: ResourceRequest) -> ApiModel:
        return self.make(asked)

    def remove(self) -> None:
        Api.client("ecs", self.asked.region).deregister_task_definition(taskDefinition=self.physical_id)


class CapacityProviderAssociations(ApiModel):
    TYPE = "AWS::ECS::ClusterCapacityProviderAssociations"
    REPLACED_BY = frozenset({"Cluster"})

    @classmethod
    def make(cls, asked: ResourceRequest) -> ApiModel:
        _associate(asked, asked.properties["CapacityProviders"])
        return cls(asked.properties["Cluster"], asked)

    def remove(self) -> None:
        _associate(self.asked, [])


def _associate(asked: ResourceRequest, providers: list[str]) -> None:
    strategy = asked.properties["DefaultCapacityProviderStrategy"] if providers else []
    Api.client("ecs", asked.region).put_cluster_capacity_providers(
        cluster=asked.properties["Cluster"],
        capacityProviders=providers,
        defaultCapacityProviderStrategy=camel(strategy),
    )


class Service(ApiModel):
    """moto's own forgets everything but the task definition and the count.

    Without a desired count CloudFormation starts one task; the count is scaling's from then on.
    """

    TYPE = "AWS::ECS::Service"
    GETATT = ("Name", "ServiceArn")
    REPLACED_BY = frozenset({"ServiceName", "Cluster", "LaunchType", "DeploymentController"})

    @classmethod
    def make(cls, asked: ResourceRequest) -> ApiModel:
        given = camel({name: asked.properties[name] for name in _SERVICE if name in asked.properties})
        name = asked.properties.get("ServiceName", asked.name)
        service = Api.client("ecs", asked.region).create_service(
            **{"desiredCount": 1, **given, "serviceName": name}
        )["service"]
        return cls(service["serviceArn"], asked, {"Name": name, "ServiceArn": service["serviceArn"]})

    def change(self, asked: ResourceRequest) -> ApiModel:
        Api.client("ecs", asked.region).update_service(
            cluster=asked.properties["Cluster"],
            service=self.attributes["Name"],
            taskDefinition=asked.properties["TaskDefinition"],
        )
        return type(self)(self.physical_id, asked, self.attributes)

    def read(self) -> Properties:
        found = Api.client("ecs", self.asked.region).describe_services(
            cluster=self.asked.properties["Cluster"], services=[self.physical_id]
        )["services"]
        if not found or found[0]["status"] == "INACTIVE":
            return {}
        return {"TaskDefinition": found[0]["taskDefinition"], "DesiredCount": found[0]["desiredCount"]}

    def remove(self) -> None:
        Api.client("ecs", self.asked.region).delete_service(
            cluster=self.asked.properties["Cluster"], service=self.attributes["Name"], force=True
        )


_SERVICE = ("Cluster", "TaskDefinition", "DesiredCount", "LaunchType", "SchedulingStrategy", "PropagateTags")
