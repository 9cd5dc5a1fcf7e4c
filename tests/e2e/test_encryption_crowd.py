"""A room of fifty members, and what a doctor does in it beside talking."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import vodozemac
from bridge_runs import Site, assert_well_behaved
from encrypted_ward import Ward, ward_of

from sandbox.matrix_user import MatrixUser
from sandbox.people import PASSWORD, Colleagues

CROWD = 48


@dataclass
class Phone:
    """The least of a device: it has keys, and reads the keys it is sent."""

    user: MatrixUser
    device_id: str
    account: vodozemac.Account

    @classmethod
    async def of(cls, site: Site, localpart: str) -> "Phone":
        made = await site.synapse.register(localpart, PASSWORD, localpart)
        user = MatrixUser(site.synapse.url, made.user_id, made.access_token)
        phone = cls(user, made.device_id, vodozemac.Account())
        await phone._upload()
        return phone

    async def _upload(self) -> None:
        curve, signing = self.account.curve25519_key, self.account.ed25519_key
        self.account.generate_one_time_keys(3)
        keys = {
            f"signed_curve25519:{name}": self._signed({"key": key.to_base64()})
            for name, key in self.account.one_time_keys.items()
        }
        device = {
            "user_id": self.user.user_id,
            "device_id": self.device_id,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {
                f"curve25519:{self.device_id}": curve.to_base64(),
                f"ed25519:{self.device_id}": signing.to_base64(),
            },
        }
        body = {"device_keys": self._signed(device), "one_time_keys": keys}
        await self.user.request("POST", "/keys/upload", body)
        self.account.mark_keys_as_published()

    def _signed(self, content: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        signature = self.account.sign(text.encode()).to_base64()
        own = {self.user.user_id: {f"ed25519:{self.device_id}": signature}}
        return {**content, "signatures": own}

    async def room_keys(self) -> list[dict[str, Any]]:
        """The keys of rooms that it was sent, each with its sender."""
        answer = await self.user.request("GET", "/sync", query={"timeout": "0"})
        found = []
        for event in answer.get("to_device", {}).get("events", []):
            sealed = event["content"]["ciphertext"][self.account.curve25519_key.to_base64()]
            sender = vodozemac.Curve25519PublicKey.from_base64(event["content"]["sender_key"])
            message = vodozemac.PreKeyMessage.from_base64(sealed["body"])
            _, plain = self.account.create_inbound_session(sender, message)
            found.append(json.loads(plain) | {"by": event["sender"]})
        return found


@pytest.fixture(scope="module")
async def ward(
    site: Site, wards: Colleagues, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ward]:
    directory = tmp_path_factory.mktemp("clients")
    async with ward_of(site, wards, directory, {"mode": "allow"}) as made:
        yield made
    assert_well_behaved(made.bridge)


async def test_all_of_fifty_members_are_given_the_key(ward: Ward) -> None:
    few = asyncio.Semaphore(6)

    async def enter(number: int) -> Phone:
        async with few:
            phone = await Phone.of(ward.site, f"crowd-{number}")
            await ward.doctor.invite(ward.room, phone.user.user_id)
            await phone.user.join(ward.room)
            return phone

    async with asyncio.TaskGroup() as group:
        entering = [group.create_task(enter(number)) for number in range(CROWD)]
    phones = [task.result() for task in entering]
    try:
        everyone = {phone.user.user_id for phone in phones}
        await ward.doctor.until(lambda: everyone <= ward.doctor.members(ward.room), timeout=60)
        ward.say("Good morning, all")
        seen = await ward.doctor.wait_for_text(ward.room, "Good morning, all", timeout=60)
        for phone in phones:
            keys = [key for key in await phone.room_keys() if key["by"] == seen.sender]
            assert [key["type"] for key in keys] == ["m.room_key"]
            assert keys[0]["content"]["session_id"] == seen.session
            assert keys[0]["sender_device_keys"]["user_id"] == seen.sender
    finally:
        for phone in phones:
            await phone.user.close()


async def test_an_edit_of_an_encrypted_message_is_passed_on(ward: Ward) -> None:
    event_id = await ward.doctor.send_text(ward.room, "The dose is 10 mg")
    await ward.heard("The dose is 10 mg", timeout=60)
    await ward.doctor.edit(ward.room, event_id, "The dose is 1 mg")
    changed = await ward.colleague.wait_for(
        lambda seen: seen.room == ward.group and "The dose is 1 mg" in seen.body, timeout=40
    )
    assert changed.nick == "Dr. Nio"
