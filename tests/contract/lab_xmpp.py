"""A real Prosody, and colleagues with an XMPP client written apart from the bridge."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from xml.sax.saxutils import escape

import aiohttp
from xmpp_lab import (
    COMPONENT,
    DOMAIN,
    MUC,
    QUICK,
    SECRET,
    UPLOADS,
    account_settings,
    component_settings,
    new_room,
)

from adapters.xmpp.network import XmppNetwork
from bridge.contract import Inlet
from bridge.testing import NETWORK, Lab, Shown, Words
from sandbox.prosody import Prosody
from sandbox.xmpp_acts import show_photo, upload
from sandbox.xmpp_stanzas import RoomMessage
from sandbox.xmpp_user import RoomOptions, XmppUser

_MARKERS = "urn:xmpp:chat-markers:0"
_STATES = "http://jabber.org/protocol/chatstates"
_OOB = "jabber:x:oob"


class XmppLab(Lab):
    """Rooms with all features, of which the bridge is an owner.

    Args:
        directory: for the server.
        component: whether the bridge is a component of it, or has an account.
    """

    colleague: ClassVar[str] = "Cora"

    def __init__(self, directory: Path, *, component: bool) -> None:
        self._component = component
        self._server = Prosody(
            directory, hosts=[DOMAIN], mucs=[MUC], components={COMPONENT: SECRET}
        )
        self._server.uploads = UPLOADS
        self._server.modules += ("vcard_legacy",)
        self._server.muc_modules += ("muc_moderation", "vcard_muc")
        self._rooms: list[str] = []
        self._people: dict[str, XmppUser] = {}
        self._files: dict[str, bytes] = {}

    # --- the network

    async def start(self) -> None:
        if self._server.running:
            return
        if not self._people:
            for name in ("cora", "carl", "bridge"):
                await self._server.add_user(f"{name}@{DOMAIN}", "password")
        await self._server.start()
        for name in ("cora", "carl"):
            if name not in self._people:
                port = self._server.client_port
                self._people[name] = XmppUser(f"{name}@{DOMAIN}", "password", port)
            await self._people[name].connect()
        for room in self._rooms[-1:]:  # the others are not looked at any more
            await self._cora.join(room, "Cora")

    async def stop(self) -> None:
        for user in self._people.values():
            await user.close()
        await self._server.stop()

    def network(self, inlet: Inlet) -> XmppNetwork:
        make = component_settings if self._component else account_settings
        timing = replace(QUICK, first_delay=0.05)
        return XmppNetwork(NETWORK, "Hospital", make(self._server), inlet, timing)

    async def new_group(self) -> str:
        room = new_room()
        await self._cora.create_room(room, "Cora", RoomOptions(shows_addresses=False))
        address = f"consilium@{COMPONENT}" if self._component else f"bridge@{DOMAIN}"
        await self._cora.set_affiliation(room, address, "owner")
        self._rooms.append(room)
        return room

    def missing_group(self) -> str:
        return f"nowhere@{MUC}"

    @property
    def _cora(self) -> XmppUser:
        return self._people["cora"]

    @property
    def _carl(self) -> XmppUser:
        return self._people["carl"]

    # --- what colleagues do

    async def say(self, group: str, words: Words) -> str:
        # A thread is taken for a topic once a second person takes it up
        user = self._cora if words.topic is None else await self._bring(group, "Carl")
        ident = await self._post(user, group, words)
        seen = await self._cora.wait_for(lambda each: each.room == group and each.id == ident)
        return seen.stanza_id

    async def _post(self, user: XmppUser, group: str, words: Words) -> str:
        if words.reply_to is not None:
            return user.answer(self._message(group, words.reply_to), words.text)
        if words.file is not None:
            file = words.file
            url = await upload(user, UPLOADS, file.data, file.name, file.mime)
            return user.share(group, url)
        text = f"/me {words.text}" if words.emote else words.text
        text = f"*{text}*" if words.bold else text
        if words.mention:
            await self._bring(group, "Carl")
            text += ", @Carl"
        thread = self._thread(group, words.topic) if words.topic else new_room()
        return user.post(group, f"<body>{escape(text)}</body><thread>{thread}</thread>")

    def _thread(self, group: str, root: str) -> str:
        """The thread of this topic, as messages in it have it."""
        threads = {each.thread for each in self._said(group) if each.stanza_id == root}
        answers = [each.thread for each in self._said(group) if each.answers == root]
        return next(iter([each for each in answers if each] or threads))

    async def edit(self, group: str, ident: str, text: str) -> None:
        self._cora.edit(group, self._message(group, ident).id, text)

    async def delete(self, group: str, ident: str) -> None:
        self._cora.retract(group, ident)

    async def moderate(self, group: str, ident: str) -> None:
        await self._cora.moderate(group, ident, "spam")

    async def react(self, group: str, ident: str, emoji: str, *, gone: bool = False) -> None:
        self._cora.react(group, ident, *(() if gone else (emoji,)))

    async def begin_to_write(self, group: str) -> None:
        self._cora.be(group, "composing")

    async def read(self, group: str, ident: str) -> None:
        self._cora.mark_read(group, ident)

    async def come(self, group: str, name: str) -> None:
        await self._carl.join(group, name)

    async def go(self, group: str, name: str) -> None:
        await self._carl.leave(group)

    async def set_subject(self, group: str, subject: str) -> None:
        self._cora.set_subject(group, subject)

    async def set_title(self, group: str, title: str) -> None:
        await self._cora.configure(group, RoomOptions(title=title, shows_addresses=False))

    async def set_picture(self, group: str, picture: bytes) -> None:
        await self._cora.set_vcard_photo(picture, of=group)

    async def set_avatar(self, group: str, picture: bytes) -> None:
        await self._cora.set_vcard_photo(picture)
        show_photo(self._cora, group, picture)

    async def _bring(self, group: str, nick: str) -> XmppUser:
        if group not in self._carl.nicks:
            await self._carl.join(group, nick)
        return self._carl

    # --- what they see

    def _said(self, group: str) -> list[RoomMessage]:
        return [each for each in self._cora.messages if each.room == group and not each.error]

    def _message(self, group: str, ident: str) -> RoomMessage:
        return next(each for each in self._said(group) if each.stanza_id == ident)

    async def shown(self, group: str) -> Sequence[Shown]:
        seen: dict[str, Shown] = {}
        reactions: dict[str, dict[str, tuple[str, ...]]] = {}
        topics: dict[str, str] = {}
        for message in self._said(group):
            moderated = message.find("urn:xmpp:fasten:0", "apply-to")
            if message.retracts or moderated is not None:
                gone = message.retracts if moderated is None else moderated.attrib["id"]
                seen.pop(gone, None)
            elif message.reactions is not None:
                target, emojis = message.reactions
                reactions.setdefault(target, {})[message.nick] = emojis
            elif message.replaces:
                first = next(
                    each.stanza_id for each in self._said(group)
                    if each.id == message.replaces and each.nick == message.nick
                )  # fmt: skip
                seen[first] = replace(seen[first], text=message.words)
            elif message.body:
                seen[message.stanza_id] = await self._as_seen(message, topics)
        return [
            replace(each, reactions=tuple(sorted(_all(reactions.get(ident, {})))))
            for ident, each in seen.items()
        ]

    async def _as_seen(self, message: RoomMessage, topics: dict[str, str]) -> Shown:
        topic = None
        if message.thread:
            root = topics.setdefault(message.thread, message.answers or message.stanza_id)
            topic = None if root == message.stanza_id else root
        emote = message.words.startswith("/me ")
        url = message.find(_OOB, "x")
        return Shown(
            message.stanza_id,
            message.nick,
            message.words.removeprefix("/me "),
            emote=emote,
            reply_to=message.answers or None,
            topic=topic,
            mentions=tuple(_mentions(message)),
            file=None if url is None else await self._fetch(url[0].text or ""),
        )

    async def _fetch(self, url: str) -> bytes:
        if url not in self._files:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                self._files[url] = await answer.read()
        return self._files[url]

    async def people(self, group: str) -> Sequence[str]:
        return list(self._cora.occupants(group))

    async def typing(self, group: str) -> Sequence[str]:
        said = self._said(group)
        return [each.nick for each in said if each.find(_STATES, "composing") is not None]

    async def readers(self, group: str, ident: str) -> Sequence[str]:
        return [
            each.nick for each in self._said(group)
            if (mark := each.find(_MARKERS, "displayed")) is not None and mark.attrib["id"] == ident
        ]  # fmt: skip

    async def subject(self, group: str) -> str:
        subjects = [each.subject for each in self._cora.subjects if each.room == group]
        return subjects[-1] if subjects else ""

    async def title(self, group: str) -> str:
        info = "http://jabber.org/protocol/disco#info"
        answer = await self._cora.ask("get", group, f"<query xmlns='{info}'/>")
        found = answer.find(f"{{{info}}}query/{{{info}}}identity")
        return "" if found is None else found.attrib.get("name", "")

    async def picture(self, group: str) -> bytes:
        return await self._cora.vcard_photo(group)

    async def avatar(self, group: str, name: str) -> bytes:
        return await self._cora.vcard_photo(f"{group}/{name}")


def _all(reactions: dict[str, tuple[str, ...]]) -> set[str]:
    return {emoji for emojis in reactions.values() for emoji in emojis}


def _mentions(message: RoomMessage) -> list[str]:
    found = message.stanza.xml.findall("{urn:xmpp:reference:0}reference")
    nicks = [re.sub(".*/", "", each.attrib.get("uri", "")) for each in found]
    return nicks + re.findall(r"@(\w+)", message.words)
