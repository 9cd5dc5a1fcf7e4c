"""What people do in a room on purpose and text can't carry: it is told in a line.

What clients only say to each other is listed as well, so that it is clear why nothing is told.
"""

from collections.abc import Callable, Mapping
from typing import Final

from bridge.matrix.raw import JsonObject, text_at

_HERE: Final = "which can be joined in Matrix only"


def _call(_: JsonObject) -> str | None:
    return f"starts a call, {_HERE}"


def _live_location(content: JsonObject) -> str | None:
    if content.get("live") is not True:
        return None
    return "shares a live location, which can be seen in Matrix only"


def _widget(content: JsonObject) -> str | None:
    if "jitsi" not in text_at(content, "type"):
        return None
    return f"starts a video conference, {_HERE}"


TOLD: Final[Mapping[str, Callable[[JsonObject], str | None]]] = {
    "m.call.invite": _call,
    "m.call.notify": _call,
    "m.rtc.notification": _call,
    "org.matrix.msc4075.call.notify": _call,
    "org.matrix.msc4075.rtc.notification": _call,
    "m.beacon_info": _live_location,
    "org.matrix.msc3672.beacon_info": _live_location,
    "m.widget": _widget,
    "im.vector.modular.widgets": _widget,
}
"""What the sender does, by type of event; None if it is not worth a line."""

BETWEEN_CLIENTS: Final = frozenset(
    {
        # How a call goes on: https://spec.matrix.org/v1.19/client-server-api/#voice-over-ip
        "m.call.answer",
        "m.call.candidates",
        "m.call.hangup",
        "m.call.negotiate",
        "m.call.reject",
        "m.call.select_answer",
        "m.call.sdp_stream_metadata_changed",
        "m.call.member",
        "org.matrix.msc3401.call.member",
        "org.matrix.msc3401.call",
        # Where somebody is now; that they share it was told
        "m.beacon",
        "org.matrix.msc3672.beacon",
        # Two devices that get to know each other
        "m.key.verification.request",
        "m.key.verification.ready",
        "m.key.verification.start",
        "m.key.verification.accept",
        "m.key.verification.key",
        "m.key.verification.mac",
        "m.key.verification.done",
        "m.key.verification.cancel",
    }
)
