"""What a caller is told when something goes wrong: one exception, shown in Google's form or in OpenAI's.

    ApiError(code, message)   raised anywhere under a route; `of` makes one of whatever else was raised
"""

from __future__ import annotations

import logging

from pollux.base.errors import AwayError, BusyError, LateError, PolluxError

log = logging.getLogger("pollux.serve")

# Google's name for each HTTP status that is used.
STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 405: "INVALID_ARGUMENT",
    409: "ALREADY_EXISTS", 413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL",
    501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_TYPE = "type.googleapis.com/google.rpc."


class ApiError(Exception):
    """A refusal.

    Attributes:
        code: HTTP status, one of `STATUS`. details: Google's, each with its ``@type``.
        seconds: After how long it is worth trying again, None where it is not.
        param: The request's field that is at fault, for OpenAI's form.
    """

    def __init__(self, code: int, message: str, *, details: tuple[dict, ...] = (), seconds: float | None = None, param: str = ""):
        super().__init__(message)
        self.code, self.message, self.details, self.seconds, self.param = code, message, details, seconds, param

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.seconds is None else {"retry-after": str(max(1, round(self.seconds)))}

    def google(self) -> dict:
        """The body that Google's clients understand."""
        retry = [] if self.seconds is None else [{"@type": _TYPE + "RetryInfo", "retryDelay": f"{max(1, round(self.seconds))}s"}]
        details = [*self.details, *retry]
        body = {"code": self.code, "message": self.message, "status": STATUS[self.code]}
        return {"error": body | ({"details": details} if details else {})}

    def openai(self) -> dict:
        """The body that OpenAI's clients understand."""
        kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
        kind = kinds.get(self.code, "invalid_request_error" if self.code < 500 else "server_error")
        code = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}.get(self.code)
        return {"error": {"message": self.message, "type": kind, "param": self.param or None, "code": code}}


def of(error: BaseException) -> ApiError:
    """What a caller is told of an exception. One that is no refusal is a bug: it is logged, and told without its text."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, AwayError):
        return ApiError(503, _both(error), seconds=error.seconds)
    if isinstance(error, BusyError):
        return ApiError(429, _both(error), seconds=error.seconds)
    if isinstance(error, LateError):
        return ApiError(504, _both(error))
    if isinstance(error, PolluxError):
        return ApiError(400, _both(error))
    log.error("a bug", exc_info=error)
    return ApiError(500, "Internal error encountered.")


def _both(error: PolluxError) -> str:
    """Message and hint as sentences."""
    parts = (part[:1].upper() + part[1:].rstrip(".") for part in (error.message, error.hint) if part)
    return ". ".join(parts) + "."
