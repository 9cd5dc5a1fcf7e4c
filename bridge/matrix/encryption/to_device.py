"""Sends messages to single devices.

https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid
"""

import secrets
from collections.abc import Mapping
from itertools import islice
from typing import Final

from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.encryption.outbound import DeviceId
from bridge.matrix.raw import JsonObject

_AT_ONCE: Final = 100


async def send_to_devices(
    client: ActingClient, event_type: str, contents: Mapping[DeviceId, JsonObject]
) -> None:
    """Send each device its content, a hundred at once.

    Raises:
        Denied: the homeserver won't.
        Unreachable: not now; some may have got theirs.
    """
    rest = iter(contents.items())
    while some := list(islice(rest, _AT_ONCE)):
        messages: dict[str, dict[str, JsonObject]] = {}
        for (user_id, device_id), content in some:
            messages.setdefault(user_id, {})[device_id] = content
        path = path_of("sendToDevice", event_type, secrets.token_hex(12))
        await client.call("PUT", path, {"messages": messages})
