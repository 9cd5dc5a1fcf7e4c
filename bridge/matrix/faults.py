"""What a homeserver's answer means: come back later, or never."""

from typing import Final

from bridge.contract import Refused, Unreachable
from bridge.matrix.raw import JsonObject, text_at

_LONGEST_WAIT: Final = 600.0
_QUOTED_MAX: Final = 300

_TOKEN_CODES = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"})
_PASSING_CODES = frozenset({"M_RESOURCE_LIMIT_EXCEEDED", "M_USER_LIMIT_EXCEEDED"})


class Denied(Refused):
    """The homeserver understood the request and won't do it.

    Args:
        status: the HTTP status.
        errcode: the Matrix error code, https://spec.matrix.org/v1.19/client-server-api/#standard-error-response
        said: the homeserver's own explanation.
    """

    def __init__(self, status: int, errcode: str, said: str) -> None:
        self.status = status
        self.errcode = errcode
        self.said = said[:_QUOTED_MAX]
        super().__init__(f"The homeserver refused: {self.said or 'without a reason'} ({errcode}).")

    @property
    def forbidden(self) -> bool:
        """Whether it is a matter of rights or membership."""
        return self.errcode == "M_FORBIDDEN"

    @property
    def missing(self) -> bool:
        """Whether what was asked for is not there."""
        return self.errcode == "M_NOT_FOUND"


class TokenRejected(Unreachable):
    """The homeserver does not know the as_token. Temporary: an admin can mend it."""


def fault(
    status: int, body: JsonObject | None, retry_after: str | None, url: str
) -> Denied | Unreachable:
    """The error to raise for an answer that is not 2xx.

    Args:
        status: the HTTP status.
        body: the answer as JSON, None if it is none.
        retry_after: the Retry-After header.
        url: the homeserver's, for the sentence.
    """
    errcode = text_at(body, "errcode") if body is not None else ""
    if passing := _passing(status, errcode):
        return passing
    if status == 429 or errcode == "M_LIMIT_EXCEEDED":
        wait = _seconds(body, retry_after)
        return Unreachable("The homeserver asks to wait.", retry_after=wait)
    if status == 401 and body is not None and "flows" in body:
        # https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
        return Denied(status, "M_UNAUTHORIZED", "it wants a user to confirm this by a password")
    if errcode:
        return Denied(status, errcode, text_at(body or {}, "error"))
    if status == 413:
        return Denied(status, "M_TOO_LARGE", "it is too large")
    return Unreachable(f"What answers at {url} is not a Matrix homeserver (status {status}).")


def _passing(status: int, errcode: str) -> Unreachable | None:
    if errcode in _TOKEN_CODES:
        return TokenRejected("The homeserver does not know the bridge's as_token.")
    if errcode in _PASSING_CODES:
        return Unreachable("The homeserver has reached a limit of its own.")
    if status >= 500:
        return Unreachable(f"The homeserver has a fault (status {status}).", doubtful=True)
    return None


def _seconds(body: JsonObject | None, retry_after: str | None) -> float | None:
    """How long to wait: the header in seconds, or else the older key in milliseconds.

    See https://spec.matrix.org/v1.19/client-server-api/#rate-limiting.
    """
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), _LONGEST_WAIT)
    given = body.get("retry_after_ms") if body is not None else None
    if isinstance(given, int | float) and given >= 0:
        return min(given / 1000, _LONGEST_WAIT)
    return None
