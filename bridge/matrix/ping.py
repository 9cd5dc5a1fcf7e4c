"""What it means when the homeserver can't call the bridge, in words for an admin.

The codes are those of
https://spec.matrix.org/v1.19/application-service-api/#post_matrixclientv1appserviceappserviceidping
"""

from typing import Final

from bridge.config.schema import Config
from bridge.errors import HomeserverError
from bridge.matrix.connection import Answer
from bridge.matrix.raw import text_at

WRITE_ANEW: Final = (
    "Write the registration anew with: consilium registration. Name the file under"
    " app_service_config_files in homeserver.yaml, and restart the homeserver."
)


def reached_all_the_same(answer: Answer) -> bool:
    """Whether a ping that is answered with a failure has reached the bridge.

    Synapse uses a successful ping to hurry on what waits for the bridge, and fails when that has
    begun in this moment by itself: with twisted's AlreadyCalled.
    """
    body = answer.body or {}
    return text_at(body, "errcode") == "M_CONNECTION_FAILED" and text_at(body, "error").startswith(
        ("AlreadyCalled", "AlreadyCancelled")
    )


def ping_fault(answer: Answer, config: Config) -> HomeserverError:
    """The error to raise for an answer to a ping that is not 200."""
    service, body = config.appservice, answer.body or {}
    match text_at(body, "errcode"):
        case "M_BAD_STATUS":
            return _badly_answered(body.get("status"), config)
        case "M_CONNECTION_FAILED" | "M_CONNECTION_TIMEOUT":
            return no_way_back(text_at(body, "error") or "no connection", config)
        case "M_URL_NOT_SET":
            sentence, advice = "The registration at the homeserver has no url.", WRITE_ANEW
        case "M_FORBIDDEN":
            sentence = f"The homeserver knows the bridge, but under another id than {service.id}."
            advice = f"Write the id of the registration under appservice. Or: {WRITE_ANEW}"
        case "M_UNRECOGNIZED":
            sentence = "The homeserver is too old to say whether it reaches the bridge."
            advice = "Update it: Matrix 1.7 is needed, that is Synapse 1.81 or later."
        case _:
            sentence = f"The homeserver failed to call the bridge (status {answer.status})."
            advice = "Look into the homeserver's log."
    return HomeserverError(sentence, advice)


def no_way_back(reason: str, config: Config) -> HomeserverError:
    """The error to raise when the homeserver finds nobody at the bridge's url."""
    service = config.appservice
    return HomeserverError(
        f"The homeserver can't reach the bridge at the url of its registration ({reason[:200]}).",
        f"Check that {service.url} is where the homeserver can reach {service.host} port"
        f" {service.port}. If url is right: {WRITE_ANEW}",
    )


def _badly_answered(status: object, config: Config) -> HomeserverError:
    url = config.appservice.url
    if status in {401, 403}:
        return HomeserverError(
            f"The homeserver reaches {url}, but with another hs_token than the bridge's.",
            WRITE_ANEW,
        )
    return HomeserverError(
        f"The homeserver calls {url}, but it is not this bridge that answers (status {status}).",
        "Check url, host and port under appservice, and a proxy in between.",
    )
