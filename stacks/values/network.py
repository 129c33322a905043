"""Where the tasks run, as values."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stacks.values.base import Cidr, InterfaceEndpoint, Values

_SubnetId = Annotated[str, Field(pattern=r"^subnet-[0-9a-f]+$")]
_RouteTableId = Annotated[str, Field(pattern=r"^rtb-[0-9a-f]+$")]


class ExistingVpc(Values):
    """A network that somebody else owns, by attribute, so that synth looks nothing up.

    `subnet_ids` are the tasks' subnets, one per zone of the environment and in the same order. Endpoints,
    flow logs and egress are its owner's.
    """

    vpc_id: Annotated[str, Field(pattern=r"^vpc-[0-9a-f]+$")]
    subnet_ids: Annotated[tuple[_SubnetId, ...], Field(min_length=2, max_length=3)]
    route_table_ids: Annotated[tuple[_RouteTableId, ...], Field(min_length=2, max_length=3)]

    @model_validator(mode="after")
    def _distinct_and_as_many(self) -> Self:
        if len(self.subnet_ids) != len(self.route_table_ids):
            raise ValueError("name one route table for each subnet, in the same order")
        if len(set(self.subnet_ids)) != len(self.subnet_ids):
            raise ValueError(f"subnet_ids {self.subnet_ids} name one subnet twice")
        return self


class Network(Values):
    """Where the tasks run and how they reach the Export API.

    egress: `public-ip` gives each task an address and no inbound rule; incoming bytes cost nothing.
        `nat` keeps tasks in private subnets behind `nat_gateways` fixed addresses; each gigabyte is charged.
    cidr: a range of the environment's own, so that the networks could be peered one day.
    """

    cidr: Cidr | None = None
    egress: Literal["nat", "public-ip"]
    nat_gateways: Annotated[int, Field(ge=0, le=3)] = 0
    interface_endpoints: tuple[InterfaceEndpoint, ...] = ()
    existing_vpc: ExistingVpc | None = None

    @model_validator(mode="after")
    def _endpoints_are_distinct(self) -> Self:
        if len(set(self.interface_endpoints)) != len(self.interface_endpoints):
            raise ValueError(f"interface_endpoints {self.interface_endpoints} name one service twice")
        return self

    @model_validator(mode="after")
    def _gateways_match_egress(self) -> Self:
        if self.existing_vpc is not None:
            if self.nat_gateways or self.interface_endpoints or self.cidr:
                raise ValueError(
                    "an existing VPC's range, NAT gateways and endpoints are its owner's: leave them out"
                )
        elif self.cidr is None:
            raise ValueError("a network of our own needs a cidr that no other environment has")
        elif (self.egress == "nat") != (self.nat_gateways > 0):
            raise ValueError("egress 'nat' needs nat_gateways >= 1, and 'public-ip' needs none")
        return self
