"""An encrypted room with doctors whose clients encrypt, linked to a group of a hospital."""

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bridge_runs import Site

from sandbox.bridge import Bridge
from sandbox.encrypted_user import EncryptedUser
from sandbox.hospital import HOSPITAL_A
from sandbox.people import PASSWORD, Colleagues
from sandbox.xmpp_user import XmppUser

CHIARA = "Chiara"

_numbers = itertools.count(1)


@dataclass
class Ward:
    """A portal: `room` on Matrix, `group` on XMPP, and who is there."""

    site: Site
    bridge: Bridge
    doctor: EncryptedUser
    colleague: XmppUser
    room: str
    group: str
    directory: Path
    more: list[EncryptedUser] = field(default_factory=list)

    def say(self, text: str) -> None:
        """The colleague says something in the group."""
        self.colleague.say(self.group, text)

    async def heard(self, text: str, *, timeout: float = 30.0) -> str:
        """Wait until the group has heard a text; by whom."""
        found = await self.colleague.wait_for(
            lambda seen: seen.room == self.group and not seen.error and seen.body == text,
            timeout=timeout,
        )
        return found.nick

    def heard_so_far(self) -> list[str]:
        """What the group has heard."""
        return [seen.body for seen in self.colleague.messages if seen.room == self.group]

    async def device(self, user_id: str, device_id: str) -> EncryptedUser:
        """A device of somebody, logged in anew."""
        path = self.directory / f"{user_id[1:].replace(':', '_')}-{device_id}"
        user = await EncryptedUser.log_in(self.site.synapse.url, user_id, PASSWORD, path, device_id)
        self.more.append(user)
        return user


async def doctor_of(site: Site, name: str) -> str:
    """A new account; its user id."""
    account = await site.synapse.register(f"encrypting-{next(_numbers)}", PASSWORD, name)
    return account.user_id


@asynccontextmanager
async def ward_of(
    site: Site,
    wards: Colleagues,
    directory: Path,
    encryption: Mapping[str, Any],
    *,
    encrypted: bool = True,
    confirmed: bool = True,
) -> AsyncIterator[Ward]:
    """A ward with one doctor and one colleague, bridged."""
    user_id = await doctor_of(site, "Dr. Nio")
    path = directory / "doctor"
    async with await EncryptedUser.log_in(site.synapse.url, user_id, PASSWORD, path) as doctor:
        bot = f"@{site.app_service.bot}:{site.synapse.server_name}"
        room = await doctor.create_room("Ward", invite=[bot], encrypted=encrypted)
        colleague, group = await wards.new(HOSPITAL_A), wards.new_room(HOSPITAL_A)
        await colleague.create_room(group, CHIARA)
        plain = site.bridge({room: [(HOSPITAL_A.network, group, "both")]})
        link = {"network": HOSPITAL_A.network, "group": group, "direction": "both"}
        if confirmed:
            link["encryption"] = "confirmed"
        more = {
            "encryption": dict(encryption),
            "portals": [{"room": room, "links": [link]}],
            "permissions": {user_id: "admin"},
        }
        config = replace(plain.config, more={**plain.config.more, **more})
        bridge = Bridge(site.directory, config)
        ward = Ward(site, bridge, doctor, colleague, room, group, directory)
        try:
            async with bridge:
                await doctor.until(
                    lambda: (
                        bot in doctor.members(room)
                        and (not encrypted or doctor.knows_device_of(bot))
                    )
                )
                await colleague.wait_for_occupant(group, "Dr. Nio", timeout=30)
                yield ward
        finally:
            for user in ward.more:
                await user.close()
