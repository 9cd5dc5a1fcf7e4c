"""Begins sessions with devices that there are none with yet, by one-time keys.

https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysclaim
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.encryption.pairwise import Pairwise
from bridge.matrix.raw import object_at
from bridge.store.crypto_devices import Device

log = structlog.get_logger(__name__)

_REMOTE_SECONDS: Final = 10
_REST_SECONDS: Final = 300.0
_RESTING_MAX: Final = 10_000


class Claims:
    """Claims one-time keys. A device that has none is not asked again for five minutes.

    Args:
        bot: asks.
        pairwise: gets the sessions.
    """

    def __init__(self, bot: ActingClient, pairwise: Pairwise) -> None:
        self._bot = bot
        self._pairwise = pairwise
        self._asking = asyncio.Lock()
        self._resting: dict[Device, float] = {}

    async def begin(self, devices: Iterable[Device]) -> None:
        """See to it that there is a session with each device, as far as that is possible.

        Raises:
            Denied: the homeserver won't give keys.
            Unreachable: not now.
        """
        missing = [each for each in devices if not self._pairwise.knows(each.curve_key)]
        if not missing:
            return
        async with self._asking:
            now = time.monotonic()
            wanted = [
                each
                for each in missing
                if not self._pairwise.knows(each.curve_key) and self._resting.get(each, 0.0) <= now
            ]
            if wanted:
                await self._claim(wanted)

    async def renew(self, device: Device) -> bool:
        """Begin another session with a device, since the present one is broken; whether it did.

        Raises:
            Denied: the homeserver won't give keys.
            Unreachable: not now.
        """
        async with self._asking:
            return bool(await self._claim([device]))

    async def _claim(self, devices: Sequence[Device]) -> int:
        wanted: dict[str, dict[str, str]] = {}
        for each in devices:
            wanted.setdefault(each.user_id, {})[each.device_id] = "signed_curve25519"
        body = {"one_time_keys": wanted, "timeout": _REMOTE_SECONDS * 1000}
        answer = await self._bot.call("POST", path_of("keys", "claim"), body)
        users = object_at(answer, "one_time_keys")
        begun = 0
        for device in devices:
            keys = object_at(object_at(users, device.user_id), device.device_id)
            key = next((object_at(keys, name) for name in keys), {})
            try:
                self._pairwise.begin(device, key)
                begun += 1
            except ValueError as error:
                log.info("device_without_keys", user_id=device.user_id, device=device.device_id)
                log.debug("one_time_key_refused", reason=str(error))
                if len(self._resting) >= _RESTING_MAX:
                    self._resting.clear()
                self._resting[device] = time.monotonic() + _REST_SECONDS
        return begun
