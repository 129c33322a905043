"""The base of every group of values: it cannot change, and it cannot be misspelt."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

SYSTEM = "export-processing"

Hours = Annotated[float, Field(gt=0)]
Seconds = Annotated[int, Field(ge=1)]
Cidr = Annotated[
    str,
    Field(pattern=r"^10\.\d{1,3}\.\d{1,3}\.0/(16|17|18)$"),
    # As AWS would keep it: no bit set below the mask.
    AfterValidator(lambda cidr: str(ip_network(cidr))),
]
KeyArn = Annotated[str, Field(pattern=r"^arn:aws:kms:[a-z0-9-]+:\d{12}:key/(mrk-)?[0-9a-f-]{32,36}$")]
EmailAddress = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$")]
InterfaceEndpoint = Literal[
    "ecr.api", "ecr.dkr", "ecs", "events", "logs", "monitoring", "secretsmanager", "sqs"
]


class Values(BaseModel):
    """Base of every group of values: immutable, and a misspelt field is an error, in a copy too."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, revalidate_instances="always")

    def derive(self, **changes: Any) -> Self:
        """These values but for `changes`, checked like any other. Raises ValidationError.

        A mapping changes the group of that name from within (`derive(network={"cidr": "10.43.0.0/18"})`);
        anything else takes the field's place.
        """
        kept = {name: getattr(self, name) for name in self.model_fields_set}
        return self.model_validate(kept | {name: self._changed(name, to) for name, to in changes.items()})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """`derive`, because pydantic's own takes any field and any value; `deep` means nothing here."""
        del deep
        return self.derive(**(update or {}))

    def _changed(self, name: str, to: Any) -> Any:
        group = getattr(self, name, None)
        return group.derive(**to) if isinstance(group, Values) and isinstance(to, Mapping) else to
