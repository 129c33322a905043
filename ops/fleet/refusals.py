"""The refusals, in words for people: each says what was wrong and what to type."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    TokenRetrievalError,
)

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "403"})
_EXPIRED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "UnrecognizedClientException"}
)


class Refusal(Exception):
    """Something a person can put right."""


class NotFound(Refusal):
    """The environment, job, archive or message that was named does not exist."""


class Unusable(Refusal):
    """The input that was typed or given cannot be used."""


class Declined(Refusal):
    """AWS refused, or could not be asked."""


def declined(error: ClientError | BotoCoreError) -> Declined:
    """An error of the AWS client, with what to do about it."""
    if isinstance(error, (NoCredentialsError, TokenRetrievalError)):
        return Declined(f"no AWS credentials: {error}. Log in, or set AWS_PROFILE")
    if isinstance(error, NoRegionError):
        return Declined("no AWS region: set AWS_REGION to the environment's")
    if not isinstance(error, ClientError):
        return Declined(f"AWS could not be asked: {error}")
    code = str(error.response["Error"].get("Code", ""))
    message = error.response["Error"].get("Message") or str(error)
    if code in _DENIED:
        return Declined(
            f"your role may not call {error.operation_name}: {message}. "
            "docs/ops/permissions.md lists what each command needs"
        )
    if code in _EXPIRED:
        return Declined(f"your AWS credentials have expired or are not valid ({code}). Log in again")
    return Declined(f"AWS refused {error.operation_name}: {code}: {message}")
