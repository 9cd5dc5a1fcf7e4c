"""A plain XMPP client, written apart from the bridge, to see what really arrived."""

import asyncio
import base64
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self
from xml.etree.ElementTree import Element, fromstring
from xml.sax.saxutils import escape

from slixmpp import JID, ClientXMPP, Message, Presence
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath

from sandbox.journal import Journal
from sandbox.ports import LOOPBACK
from sandbox.xmpp_stanzas import RoomMessage, RoomPresence, RoomSubject

ChatState = Literal["active", "composing", "paused", "inactive", "gone"]
Affiliation = Literal["owner", "admin", "member", "none", "outcast"]

_CREATED = 201  # the status code of the presence that says that joining made the room


@dataclass(frozen=True)
class RoomOptions:
    """How a room is set up when it is made."""

    title: str = ""
    persistent: bool = True
    shows_addresses: bool = True
    members_only: bool = False
    moderated: bool = False
    anyone_sets_subject: bool = True
    password: str = ""

    def fields(self) -> dict[str, Any]:
        """The answers to the room's configuration form (XEP-0045, section 15.5.3)."""
        return {
            "roomname": self.title,
            "persistentroom": self.persistent,
            "whois": "anyone" if self.shows_addresses else "moderators",
            "membersonly": self.members_only,
            "moderatedroom": self.moderated,
            "changesubject": self.anyone_sets_subject,
            "passwordprotectedroom": bool(self.password),
            "roomsecret": self.password,
        }


class XmppUser:
    """One account and what it sees: messages, presences and subjects of the rooms it is in.

    A refused message or presence is recorded among the others, with `error` set.
    """

    def __init__(self, jid: str, password: str, port: int) -> None:
        """Stand for an account of the server on this loopback port; `connect` logs it in."""
        self.jid = jid
        self.messages: Journal[RoomMessage] = Journal(f"the messages to {jid}")
        self.presences: Journal[RoomPresence] = Journal(f"the presences to {jid}")
        self.subjects: Journal[RoomSubject] = Journal(f"the subjects to {jid}")
        self.nicks: dict[str, str] = {}  # one's own, in each room one is in
        self._occupants: dict[str, dict[str, RoomPresence]] = defaultdict(dict)
        self._port = port
        self._xmpp = _client(jid, password)
        handlers: dict[str, Callable[[Any], None]] = {
            "message@type=groupchat": self._hear,
            "message@type=error": self._hear,
            "presence": self._see,
        }
        for path, handle in handlers.items():
            self._xmpp.register_handler(Callback(path, StanzaPath(path), handle))

    @property
    def connected(self) -> bool:
        """Whether there is a connection; it ends when the server stops, and stays so."""
        return bool(self._xmpp.is_connected())

    @property
    def client(self) -> ClientXMPP:
        """The library's client, for a test that needs a stanza of its own making."""
        return self._xmpp

    async def connect(self, timeout: float = 10.0) -> None:
        """Log in, for the first time or again; the rooms have to be joined again, too."""
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._occupants.clear()
        self.nicks.clear()
        try:
            async with asyncio.timeout(timeout):
                with (
                    self._xmpp.event_handler("session_start", _settle(outcome, "")),
                    self._xmpp.event_handler("failed_all_auth", _settle(outcome, "wrong password")),
                ):
                    self._xmpp.connect(LOOPBACK, self._port)
                    refusal = await outcome
        except TimeoutError:
            self._xmpp.cancel_connection_attempt()
            raise TimeoutError(f"{self.jid} could not log in within {timeout:g} s") from None
        if refusal:
            await self.close()
            raise PermissionError(f"{self.jid} could not log in: {refusal}")
        self._xmpp.send_presence()

    async def close(self) -> None:
        """Log out."""
        await self._xmpp.disconnect()
        sender = self._xmpp._run_out_filters  # noqa: SLF001 -- the library never ends this task
        if sender is not None:
            sender.cancel()
            await asyncio.wait([sender])

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def create_room(self, room: str, nick: str, options: RoomOptions | None = None) -> None:
        """Make a room and enter it as its owner."""
        created = await self._enter(room, nick, history=0, password="")
        if not created:
            raise FileExistsError(f"the room {room} exists already")
        await self.configure(room, options or RoomOptions())

    async def join(self, room: str, nick: str, *, history: int = 0, password: str = "") -> None:
        """Enter a room that exists; ask for so many of its last messages."""
        if await self._enter(room, nick, history=history, password=password):
            raise FileNotFoundError(f"there was no room {room}: joining has just made it")

    async def configure(self, room: str, options: RoomOptions) -> None:
        """Set the room's options, as its owner."""
        form = self._plugin("xep_0004").make_form(ftype="submit")
        form.add_field(
            var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/muc#roomconfig"
        )
        for name, value in options.fields().items():
            kind = "boolean" if isinstance(value, bool) else "text-single"
            form.add_field(var=f"muc#roomconfig_{name}", ftype=kind, value=value)
        await self._muc.set_room_config(JID(room), form)

    async def leave(self, room: str) -> None:
        """Leave a room and wait until the room knows."""
        self._muc.leave_muc(JID(room), self.nicks[room])
        await self.presences.wait_until(lambda: room not in self.nicks)

    async def change_nick(self, room: str, nick: str) -> None:
        """Take another nick in a room; PermissionError when the room refuses it."""
        mark = len(self.presences)
        self._xmpp.send_presence(pto=f"{room}/{nick}")
        answer = await self.presences.wait_for(
            lambda seen: seen.room == room and seen.nick == nick and (seen.is_self or seen.refused),
            after=mark,
        )
        if answer.refused:
            raise PermissionError(f"{room} refused the nick {nick}: {answer.error}")

    def say(self, room: str, body: str) -> str:
        """Send a message to the room and return the id it bears, also as its origin id."""
        message = self.message(room)
        message["body"] = body
        message["origin_id"]["id"] = message["id"]
        message.send()
        return str(message["id"])

    def message(self, room: str) -> Message:
        """An empty message to the room, to be filled and sent by a test that needs more."""
        return self._xmpp.make_message(JID(room), mtype="groupchat")

    def post(self, room: str, contents: str, *, id_: str = "") -> str:
        """Send a message of these elements to the room, and return the id it bears."""
        id_ = id_ or self._xmpp.new_id()
        self._xmpp.send_raw(
            f"<message type='groupchat' to='{room}' id='{id_}'>{contents}"
            f"<origin-id xmlns='urn:xmpp:sid:0' id='{id_}'/></message>"
        )
        return id_

    def edit(self, room: str, first_id: str, body: str) -> str:
        """Change what one has sent with the id `first_id` (XEP-0308)."""
        return self.post(
            room,
            f"<body>{escape(body)}</body>"
            f"<replace xmlns='urn:xmpp:message-correct:0' id='{first_id}'/>",
        )

    def retract(self, room: str, stanza_id: str) -> str:
        """Delete one's own message (XEP-0424), with words for clients that can't."""
        return self.post(
            room,
            f"<retract xmlns='urn:xmpp:message-retract:1' id='{stanza_id}'/><body>/me retracted a "
            "previous message, but it's unsupported by your client.</body>"
            "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/>"
            "<store xmlns='urn:xmpp:hints'/>",
        )

    def react(self, room: str, stanza_id: str, *emojis: str) -> str:
        """Have these reactions on a message, and no others (XEP-0444)."""
        each = "".join(f"<reaction>{escape(emoji)}</reaction>" for emoji in emojis)
        return self.post(
            room,
            f"<reactions xmlns='urn:xmpp:reactions:0' id='{stanza_id}'>{each}</reactions>"
            "<store xmlns='urn:xmpp:hints'/>",
        )

    def answer(self, message: RoomMessage, body: str) -> str:
        """Answer a message (XEP-0461), with a quotation for clients that can't show that."""
        quoted = "".join(f"> {line}\n" for line in (message.body or "file").split("\n"))
        return self.post(
            message.room,
            f"<body>{escape(quoted + body)}</body><reply xmlns='urn:xmpp:reply:0' "
            f"to='{message.room}/{escape(message.nick)}' id='{message.stanza_id or message.id}'/>"
            "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>"
            f"<body start='0' end='{len(quoted)}'/></fallback>",
        )

    def share(self, room: str, url: str) -> str:
        """Send a file that is at a URL (XEP-0066)."""
        return self.post(
            room,
            f"<body>{escape(url)}</body><x xmlns='jabber:x:oob'><url>{escape(url)}</url></x>",
        )

    def be(self, room: str, state: ChatState) -> None:
        """Show that one is writing, or not any more (XEP-0085)."""
        self.post(room, f"<{state} xmlns='http://jabber.org/protocol/chatstates'/>")

    def mark_read(self, room: str, stanza_id: str) -> None:
        """Show how far one has read (XEP-0333)."""
        self.post(room, f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{stanza_id}'/>")

    async def moderate(self, room: str, stanza_id: str, reason: str) -> None:
        """Delete what another one wrote (XEP-0425, in the form of Prosody's module)."""
        await self.ask(
            "set",
            room,
            f"<apply-to xmlns='urn:xmpp:fasten:0' id='{stanza_id}'>"
            "<moderate xmlns='urn:xmpp:message-moderate:0'>"
            "<retract xmlns='urn:xmpp:message-retract:0'/>"
            f"<reason>{escape(reason)}</reason></moderate></apply-to>",
        )

    async def set_role(self, room: str, nick: str, role: str) -> None:
        """Make an occupant a moderator, a participant, or a visitor."""
        await self._muc.set_role(JID(room), nick, role)

    async def set_vcard_photo(self, photo: bytes, *, of: str = "") -> None:
        """Give oneself, or a room that one owns, a picture (XEP-0153, XEP-0486)."""
        encoded = base64.b64encode(photo).decode()
        await self.ask(
            "set",
            of or None,
            f"<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>{encoded}</BINVAL>"
            "</PHOTO></vCard>",
        )

    async def vcard_photo(self, of: str) -> bytes:
        """The picture that somebody's vCard holds; empty where it holds none."""
        answer = await self.ask("get", of, "<vCard xmlns='vcard-temp'/>")
        found = answer.findtext("{vcard-temp}vCard/{vcard-temp}PHOTO/{vcard-temp}BINVAL")
        return base64.b64decode(found or "")

    async def ask(self, kind: Literal["get", "set"], to: str | None, payload: str) -> Element:
        """Send a request and return the answer; the library's IqError when it is refused."""
        request: Any = self._xmpp.make_iq(itype=kind, ito=to)
        request.append(fromstring(payload))  # noqa: S314 - the test's own words
        answer: Element = (await request.send()).xml
        return answer

    def set_subject(self, room: str, subject: str) -> None:
        """Set the room's subject."""
        self._muc.set_subject(JID(room), subject)

    async def kick(self, room: str, nick: str, reason: str = "") -> None:
        """Put an occupant out of the room; they may come back."""
        await self._muc.set_role(JID(room), nick, "none", reason=reason)

    async def set_affiliation(
        self, room: str, jid: str, affiliation: Affiliation, reason: str = ""
    ) -> None:
        """Make somebody a member, an admin, …, or ban them (`outcast`)."""
        await self._muc.set_affiliation(JID(room), affiliation, jid=JID(jid), reason=reason)

    async def destroy(self, room: str, reason: str = "") -> None:
        """Take the room down, with all in it."""
        await self._muc.destroy(JID(room), reason)

    def occupants(self, room: str) -> dict[str, RoomPresence]:
        """Who is in a room now, by nick, with the last presence of each."""
        return dict(self._occupants[room])

    async def wait_for(
        self, predicate: Callable[[RoomMessage], bool], *, timeout: float = 10.0, after: int = 0
    ) -> RoomMessage:
        """The first message that fits, be it seen already or still to come.

        `after=len(user.messages)`, taken earlier, passes over what was there by then.
        """
        return await self.messages.wait_for(predicate, timeout=timeout, after=after)

    async def wait_for_text(self, room: str, body: str, *, timeout: float = 10.0) -> RoomMessage:
        """The message with exactly this text."""
        return await self.wait_for(
            lambda message: message.room == room and message.body == body and not message.error,
            timeout=timeout,
        )

    async def wait_for_occupant(self, room: str, nick: str, *, timeout: float = 10.0) -> None:
        """Return once somebody of this nick is in the room."""
        await self.presences.wait_until(lambda: nick in self._occupants[room], timeout=timeout)

    async def wait_for_absence(self, room: str, nick: str, *, timeout: float = 10.0) -> None:
        """Return once nobody of this nick is in the room."""
        await self.presences.wait_until(lambda: nick not in self._occupants[room], timeout=timeout)

    @property
    def _muc(self) -> Any:  # noqa: ANN401 -- see _plugin
        return self._plugin("xep_0045")

    def _plugin(self, name: str) -> Any:  # noqa: ANN401 -- the library's plugins are hardly typed
        plugins: Any = self._xmpp.plugin
        return plugins[name]

    async def _enter(self, room: str, nick: str, *, history: int, password: str) -> bool:
        """Enter, and tell whether this made the room."""
        own, _subject, _occupants, _history = await self._muc.join_muc_wait(
            JID(room), nick, maxstanzas=history, password=password or None, timeout=10
        )
        return _CREATED in own["muc"]["status_codes"]

    def _hear(self, stanza: Message) -> None:
        subject = RoomSubject.of(stanza)
        if subject is not None:
            self.subjects.add(subject)
        else:
            self.messages.add(RoomMessage.of(stanza))

    def _see(self, stanza: Presence) -> None:
        seen = RoomPresence.of(stanza)
        if seen is None:
            return
        if seen.available:
            self._occupants[seen.room][seen.nick] = seen
            if seen.is_self:
                self.nicks[seen.room] = seen.nick
        elif not seen.refused:
            self._occupants[seen.room].pop(seen.nick, None)
            if seen.nick == self.nicks.get(seen.room) and not seen.new_nick:
                self._forget(seen.room)
        self.presences.add(seen)

    def _forget(self, room: str) -> None:
        """Out of a room, whatever the way, one no longer sees who is in it."""
        del self.nicks[room]
        self._occupants[room].clear()


def _client(jid: str, password: str) -> ClientXMPP:
    client = ClientXMPP(
        jid, password, plugin_config={"feature_mechanisms": {"unencrypted_plain": True}}
    )
    client.enable_plaintext = True
    client.enable_starttls = False
    client.enable_direct_tls = False
    for plugin in ("xep_0030", "xep_0045", "xep_0199", "xep_0203", "xep_0359"):
        client.register_plugin(plugin)
    return client


def _settle(outcome: asyncio.Future[str], result: str) -> Callable[[object], None]:
    def settle(_event: object) -> None:
        if not outcome.done():
            outcome.set_result(result)

    return settle
