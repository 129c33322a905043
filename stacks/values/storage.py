"""The values of what is kept, and for how long."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from stacks.values.base import KeyArn, Values


class Storage(Values):
    """The data and how hard it is to lose.

    protected: stateful stacks refuse deletion, their resources are retained, tables have deletion protection.
    customer_managed_key: encrypt with a key of ours (a dollar a month and a request charge that bucket keys
        keep small) instead of AWS's; `existing_key_arn` takes one that already exists.
    existing_metadata_table: the table that the metadata's owners keep, by name, in the same account and
        region; without it, one is created. `existing_metadata_key_arn` is their key for it, if they have one.
    """

    protected: bool
    customer_managed_key: bool = False
    existing_key_arn: KeyArn | None = None
    existing_metadata_table: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")] | None = None
    existing_metadata_key_arn: KeyArn | None = None
    infrequent_access_after_days: Annotated[int, Field(ge=30)] | None = None
    noncurrent_versions_days: Annotated[int, Field(ge=1)] = 30
    # Longer than the longest resume of an upload, which is the longest wait of its message (14 days).
    aborted_uploads_days: Annotated[int, Field(ge=1)] = 15

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.customer_managed_key and self.existing_key_arn is not None:
            raise ValueError("customer_managed_key creates a key and existing_key_arn names one: choose")
        return self

    @model_validator(mode="after")
    def _their_key_is_for_their_table(self) -> Self:
        if self.existing_metadata_key_arn is not None and self.existing_metadata_table is None:
            raise ValueError(
                "existing_metadata_key_arn is the key of existing_metadata_table: name the table too"
            )
        return self
