"""A CloudFormation type as four verbs on the server's own public API: create, change, delete, read.

What a template asks for goes through the same API as anybody's call, so a type here can set nothing that the
service itself would not take.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import boto3
from moto.core.common_models import CloudFormationModel
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

Properties = dict[str, Any]
Say = Callable[[str], None]

_USER = "cloudformation"


@dataclass(frozen=True, kw_only=True)
class ResourceRequest:
    """A resource as the template asks for it, with every reference resolved."""

    name: str
    """What CloudFormation would call it when the template does not say."""
    logical_id: str
    properties: Properties
    region: str
    account: str


class Api:
    """Clients of the server that this process is; set once by `register`."""

    endpoint_url: ClassVar[str]
    say: ClassVar[Say]

    @classmethod
    def client(cls, service: str, region: str) -> Any:
        key, secret = _own_keys()
        return boto3.client(  # type: ignore[call-overload]  # a name known only at run time
            service,
            region_name=region,
            endpoint_url=cls.endpoint_url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )


@cache
def _own_keys() -> tuple[str, str]:
    """A user who may do everything: CloudFormation goes on working once the server enforces IAM."""
    iam = iam_backends[os.environ.get("MOTO_ACCOUNT_ID", DEFAULT_ACCOUNT_ID)]["aws"]
    iam.create_user("us-east-1", _USER)
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.put_user_policy(_USER, "everything", json.dumps({"Version": "2012-10-17", "Statement": [everything]}))
    key = iam.create_access_key(_USER)
    return key.access_key_id, key.secret_access_key


class ApiModel(CloudFormationModel):
    """A resource that exists in some backend; CloudFormation only needs its name and attributes.

    TYPE: the type's name in templates. GETATT: the attributes that it has.
    REPLACED_BY: the properties of which the documentation says "Update requires: Replacement".
    """

    TYPE: ClassVar[str] = "Local::Made"
    GETATT: ClassVar[tuple[str, ...]] = ()
    REPLACED_BY: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self, physical_id: str, asked: ResourceRequest, attributes: Mapping[str, str] | None = None
    ) -> None:
        self.physical_id = physical_id
        self.asked = asked
        self.attributes = dict(attributes or {})

    @property
    def physical_resource_id(self) -> str:
        return self.physical_id

    @classmethod
    def cloudformation_name_type(cls) -> str:
        return ""

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.TYPE

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in cls.GETATT

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self.attributes[attribute_name]

    # --- what a type says of itself ---------------------------------------------------------------

    @classmethod
    def make(cls, asked: ResourceRequest) -> "ApiModel":
        """Create it."""
        raise NotImplementedError

    def change(self, asked: ResourceRequest) -> "ApiModel":
        """Make it what is asked for now; the default is for types that are created by a put."""
        made = self.make(asked)
        made.physical_id = self.physical_id
        return made

    def remove(self) -> None:
        """Delete it."""

    def read(self) -> Properties | None:
        """Its live properties, as far as they can be told, in the template's spelling; None: not checked."""
        return None

    # --- what moto calls --------------------------------------------------------------------------

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> "ApiModel":  # fmt: skip
        return cls.make(
            ResourceRequest(
                name=resource_name,
                logical_id=kwargs["LogicalId"],
                properties=_copied(cloudformation_json),
                region=region_name,
                account=account_id,
            )
        )

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> "ApiModel":
        before: ResourceRequest = original_resource.asked
        asked = ResourceRequest(
            name=new_resource_name,
            logical_id=before.logical_id,
            properties=_copied(cloudformation_json),
            region=region_name,
            account=account_id,
        )
        changed = {
            name
            for name in {*before.properties, *asked.properties}
            if before.properties.get(name) != asked.properties.get(name)
        }
        if changed & cls.REPLACED_BY:
            return cls.make(asked)
        made: ApiModel = original_resource.change(replace(asked, name=before.name))
        return made

    def delete(self, account_id: str, region_name: str) -> None:
        del account_id, region_name
        self.remove()


def _copied(definition: Any) -> Properties:
    # What is asked for is compared with later, and a type may take its properties apart.
    copied: Properties = json.loads(json.dumps(definition.get("Properties", {})))
    return copied


def camel(value: Any, *, keys: bool = True, free: tuple[str, ...] = ("Options", "DockerLabels")) -> Any:
    """CloudFormation's PascalCase as the ECS API spells it; maps of `free` names are left as they are."""
    if isinstance(value, dict):
        return {
            (key[0].lower() + key[1:] if keys else key): camel(item, keys=key not in free)
            for key, item in value.items()
        }
    return [camel(item) for item in value] if isinstance(value, list) else value
