"""What a forum answers when it does not do what it was asked, in words for people."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from adapters.web.waiting import bounded, retry_after
from bridge.contract import Refused, Unreachable

_DEFAULT_WAIT: Final = 30.0
_LONGEST_TEXT: Final = 300


class Declined(Refused):
    """The forum said no. `status` is that of its answer."""

    def __init__(self, sentence: str, advice: str = "", *, status: int) -> None:
        super().__init__(sentence, advice)
        self.status = status


class Redirected(Declined):
    """What is asked for is elsewhere, at `location`."""

    def __init__(self, name: str, status: int, location: str) -> None:
        super().__init__(
            f"{name} redirects elsewhere.", "Write the forum's address as it is.", status=status
        )
        self.location = location


def expect_well(
    name: str, status: int, headers: Mapping[str, str], body: bytes, *, changing: bool
) -> None:
    """Pass answers that are well; raise for all others.

    Errors are `{"errors": […], "error_type": …, "extras": {"wait_seconds": …}}`; see
    lib/json_error.rb and app/controllers/application_controller.rb of discourse/discourse.

    Args:
        name: how people call the forum.
        status: the status.
        headers: those of the answer.
        body: as it came.
        changing: whether something was to be changed, which then may have been.

    Raises:
        Unreachable: not now.
        Declined: no.
    """
    if status < 300:
        return
    said = _parsed(body)
    kind, reason = str(said.get("error_type", "")), _reason(said)
    if status == 429:
        wait = _wait(said, headers)
        raise Unreachable(
            f"{name} asks to wait ({reason or 'too many requests'}).", retry_after=wait
        )
    if status >= 500 or kind == "read_only":
        raise Unreachable(
            f"{name} can't do it now ({reason or status}).",
            retry_after=retry_after(headers),
            doubtful=changing and status >= 500,
        )
    if status < 400:
        raise Redirected(name, status, headers.get("Location", ""))
    if status in {401, 403}:
        raise Declined(
            f"{name} does not let the bridge do this ({reason or status}).",
            "Check username and api_key, and what that user may do there.",
            status=status,
        )
    if status == 404:
        raise Declined(f"{name} has no such thing any more.", status=status)
    raise Declined(f"{name} does not take it ({reason or status}).", status=status)


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        said = orjson.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _reason(said: Mapping[str, Any]) -> str:
    errors = said.get("errors")
    if isinstance(errors, str):
        errors = [errors]
    if not isinstance(errors, list):
        return ""
    words = " ".join(str(each) for each in errors if isinstance(each, str))
    return " ".join(words.split())[:_LONGEST_TEXT].rstrip(".")


def _wait(said: Mapping[str, Any], headers: Mapping[str, str]) -> float:
    extras = said.get("extras")
    seconds = extras.get("wait_seconds") if isinstance(extras, dict) else None
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        found = bounded(float(seconds))
        if found is not None:
            return max(found, 1.0)
    found = retry_after(headers)
    return _DEFAULT_WAIT if found is None else max(found, 1.0)
