"""Colleagues wear their network's avatar and the bot its own; the homeserver gets each once."""

import asyncio
import io
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest
from bridge_runs import Site, running
from PIL import Image

from sandbox.bridge import Bridge
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B
from sandbox.meeting import Meeting
from sandbox.people import Colleagues
from sandbox.staff import CHIARA, DMITRI, Staff

PATIENCE = 30.0


@dataclass
class Ward:
    """A meeting, and a bridge that is not running."""

    site: Site
    meeting: Meeting
    bridge: Bridge

    @property
    def bot(self) -> str:
        return f"@{self.site.app_service.bot}:{self.site.synapse.server_name}"

    def ghost(self, colleague: str) -> str:
        """The user id of a colleague who is in the Matrix room."""
        named = f"{colleague} ("
        members = self.meeting.members()
        return next(who for who, name in members.items() if name.startswith(named))

    async def worn(self, user_id: str) -> str | None:
        """The avatar in somebody's profile."""
        profile = await self.meeting.host.request("GET", f"/profile/{quote(user_id, safe='')}")
        worn = profile.get("avatar_url")
        return None if worn is None else str(worn)

    async def bot_is_dressed(self) -> None:
        """Return once the bot wears its avatar in the room; by then all others are uploaded."""
        await self.meeting.host.wait_for(
            lambda event: (
                event.type == "m.room.member"
                and event.state_key == self.bot
                and bool(event.content.get("avatar_url"))
            ),
            room=self.meeting.room,
            timeout=PATIENCE,
        )

    async def until_changed(self, colleague: str, old: str | None) -> str:
        """Let a colleague speak until they wear another avatar than the old one."""
        async with asyncio.timeout(PATIENCE):
            for number in range(1_000):
                word = f"{colleague} says {number}, wearing {old}"
                await self.meeting.say(colleague, word)
                await self.meeting.arrived(word)
                worn = await self.worn(self.ghost(colleague))
                if worn is not None and worn != old:
                    return worn
        pytest.fail(f"{colleague} wears no other avatar than {old}")

    def files(self) -> set[Path]:
        """What was ever uploaded to this homeserver."""
        media = self.site.synapse.log.parent / "media" / "local_content"
        return {path for path in media.rglob("*") if path.is_file()}


@pytest.fixture
async def ward(site: Site, staff: Staff, wards: Colleagues) -> Ward:
    groups = {hospital: wards.new_room(hospital) for hospital in (HOSPITAL_A, HOSPITAL_B)}
    meeting = await staff.meet(site.app_service, groups)
    return Ward(site, meeting, site.bridge({meeting.room: meeting.links()}))


def drawn() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (10, 120, 200)).save(file, "PNG")
    return file.getvalue()


async def test_avatars_are_worn_uploaded_once_and_changed_with_the_file(ward: Ward) -> None:
    before = ward.files()
    async with running(ward.bridge):
        await ward.meeting.everyone_is_there()
        await ward.bot_is_dressed()
        chiara = await ward.until_changed(CHIARA, None)
        dmitri = await ward.until_changed(DMITRI, None)
        bot = await ward.worn(ward.bot)
    assert len({chiara, dmitri, bot}) == 3
    assert all(uri is not None and uri.startswith("mxc://") for uri in (chiara, dmitri, bot))
    uploaded = ward.files() - before
    assert len(uploaded) == 3

    # The picture of the network that comes last is another: when that is worn, all were looked at
    networks = {id_: dict(keys) for id_, keys in ward.bridge.config.networks.items()}
    assert list(networks)[-1] == HOSPITAL_B.network
    networks[HOSPITAL_B.network]["avatar"] = "hospital-b.png"
    (ward.site.directory / "hospital-b.png").write_bytes(drawn())
    ward.bridge.config = replace(ward.bridge.config, networks=networks)
    async with running(ward.bridge):
        await ward.meeting.everyone_is_there()
        changed = await ward.until_changed(DMITRI, dmitri)
        assert await ward.worn(ward.ghost(CHIARA)) == chiara
        assert await ward.worn(ward.bot) == bot
    assert changed.startswith("mxc://")
    (added,) = ward.files() - before - uploaded
    assert added.read_bytes() == drawn()
