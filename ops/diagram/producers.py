"""Who may send to a queue from outside, as its policy says."""

from collections.abc import Iterator

from ops.assembly.model import Json
from ops.assembly.tokens import text_of, texts_of
from ops.diagram.templates import Place, Templates

_SOURCES = {"sns.amazonaws.com": "SNS topic", "events.amazonaws.com": "rule"}


def producers_of(templates: Templates, queue: Place) -> list[str]:
    """A few words for each producer that a statement of the queue's policy admits."""
    return [
        words
        for stack, policy in templates.every("AWS::SQS::QueuePolicy")
        if queue in [templates.resolve(stack, target) for target in policy.properties["Queues"]]
        for statement in policy.properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and "sqs:SendMessage" in texts_of(statement["Action"])
        for words in _words(statement)
    ]


def _words(statement: Json) -> Iterator[str]:
    principal, conditions = statement["Principal"], statement.get("Condition", {})
    if isinstance(principal, dict) and "Service" in principal:
        kind = _SOURCES.get(text_of(principal["Service"]), text_of(principal["Service"]))
        for arn in texts_of(conditions.get("ArnEquals", {}).get("aws:SourceArn", [])):
            yield f"{kind} {arn.rpartition(':')[2].removeprefix('rule/')}"
    elif (organisation := conditions.get("StringEquals", {}).get("aws:PrincipalOrgID")) is not None:
        yield f"organisation {text_of(organisation)}"
    elif isinstance(principal, dict):
        yield from (arn.rpartition(":")[2] for arn in texts_of(principal["AWS"]))
    else:
        yield "ANYBODY"
