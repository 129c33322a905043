"""The errors of a request to the Export API, by what the caller should do about them."""


class ApiError(Exception):
    """Base; the text names the request without its query string."""

    retry_after_s: float | None = None
    status: int | None = None
    """The status of the answer, where there was one."""


class NotFound(ApiError):
    """404: the job or file is not known there. Park."""


class Gone(NotFound):
    """410: it was there once. Park."""


class Refused(ApiError):
    """Another 4xx: the request itself is wrong; asking again gives the same. Retry, then it is parked."""


class Unauthorised(ApiError):
    """401 or 403 with freshly read credentials. Retry: an operator has to put the secret right."""


class NoCredentials(ApiError):
    """The secret cannot be read, holds nothing usable, or gives no token: the API was not asked. Retry."""


class InvalidAnswer(ApiError):
    """An answer that is not the contract: HTML, broken JSON, a missing field, another origin. Retry."""


class Unavailable(ApiError):
    """5xx, a time-out or a broken connection, after the inline retries. Retry."""

    def __init__(self, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class RateLimited(Unavailable):
    """429, or 403 with a Retry-After: nobody's fault. Retry after `retry_after_s`."""
