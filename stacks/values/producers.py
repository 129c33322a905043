"""Who may send export jobs from outside this account's own roles, as values."""

from typing import Annotated

from pydantic import Field

from stacks.values.base import Values

_TopicArn = Annotated[str, Field(pattern=r"^arn:aws:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+$")]
_RuleArn = Annotated[str, Field(pattern=r"^arn:aws:events:[a-z0-9-]+:\d{12}:rule/[A-Za-z0-9_./-]+$")]
_RoleArn = Annotated[str, Field(pattern=r"^arn:aws:iam::\d{12}:role/[A-Za-z0-9_+=,.@/-]+$")]


class Producers(Values):
    """Each becomes a statement of the policy of the queues `export-jobs`; roles of this account need none.

    sns_topics, event_rules: topics and EventBridge rules, of any account. Their owners subscribe or target
        the queue (output `ExportJobsQueueArn`); the body may stay wrapped.
    roles: roles of other accounts, which also need `sqs:SendMessage` on the queue from their own account.
    organisation: every account of an AWS organisation.
    """

    sns_topics: tuple[_TopicArn, ...] = ()
    event_rules: tuple[_RuleArn, ...] = ()
    roles: tuple[_RoleArn, ...] = ()
    organisation: Annotated[str, Field(pattern=r"^o-[a-z0-9]{10,32}$")] | None = None
