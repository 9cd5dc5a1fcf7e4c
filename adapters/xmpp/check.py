"""`consilium check`: the connection, the credentials and each room, tried once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from xml.etree.ElementTree import Element

from adapters.xmpp import outgoing
from adapters.xmpp.errors import GONE, StanzaError
from adapters.xmpp.features import Features
from adapters.xmpp.incoming import CREATED, is_about_oneself, read_presence
from adapters.xmpp.occupant import Occupant
from adapters.xmpp.settings import Mode, XmppSettings, is_loopback
from adapters.xmpp.timing import DEFAULT, Timing
from adapters.xmpp.wire import PRESENCE, Rejected, Wire, make_wire
from bridge.contract import Finding, Refused, Unreachable

_SECONDS: Final = 17.0
"""Leaves time to say goodbye within the 20 seconds that the contract gives."""
_TIMING: Final = replace(DEFAULT, connect=8.0, answer=5.0)

_ADVICE: Final = {
    (Mode.COMPONENT, "unreachable"): (
        "Start the XMPP server, check host and port, and that it listens for components there."
    ),
    (Mode.ACCOUNT, "unreachable"): "Start the XMPP server, and check the domain, host and port.",
    (Mode.COMPONENT, "not-authorized"): (
        "Write the same secret in this file and in the component's section of the XMPP server."
    ),
    (Mode.ACCOUNT, "not-authorized"): "Check the jid and the password.",
    (Mode.COMPONENT, "host-unknown"): (
        "Add the component to the configuration of the XMPP server, and reload it."
    ),
    (Mode.ACCOUNT, "host-unknown"): "Check the domain of the jid.",
    (Mode.ACCOUNT, "certificate"): (
        "Renew the server's certificate; or, when an authority of your own has signed it, name "
        "that with ca."
    ),
    (Mode.ACCOUNT, "tls"): (
        "Switch TLS on at the XMPP server (or write tls: off if it is on this machine)."
    ),
}


async def examine(
    settings: XmppSettings, name: str, rooms: Sequence[str], timing: Timing = _TIMING
) -> list[Finding]:
    """Try everything; what is wrong is a finding. Bounded to 20 seconds."""
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(_SECONDS):
            await _Examination(settings, name, timing).run(rooms, findings)
    except TimeoutError:
        slow = "The server is too slow to look at every room."
        findings.append(Finding(ok=False, subject=name, sentence=slow, advice="Try again later."))
    return findings


class _Examination:
    def __init__(self, settings: XmppSettings, name: str, timing: Timing) -> None:
        self._settings = settings
        self._name = name
        self._timing = timing
        self._visitors: dict[str, Occupant] = {}

    async def run(self, rooms: Sequence[str], findings: list[Finding]) -> None:
        server = f"{self._name} ({self._settings.where})"
        wire = make_wire(self._settings, server, self._take, self._timing)
        try:
            await wire.open()
        except Rejected as error:
            findings.append(self._rejected(error))
            return
        try:
            findings.append(self._connected())
            async with asyncio.TaskGroup() as group:
                looks = [group.create_task(self._room(wire, room)) for room in rooms]
            findings += [look.result() for look in looks]
        finally:
            await wire.close()

    def _connected(self) -> Finding:
        settings = self._settings
        if settings.mode is Mode.COMPONENT and settings.host and not is_loopback(settings.host):
            return Finding(
                ok=True, subject=self._name,
                sentence=f"Connected as {settings.jid}, but without encryption.",
                advice="Run the bridge beside the XMPP server, or put a tunnel between them.",
            )  # fmt: skip
        return Finding(ok=True, subject=self._name, sentence=f"Connected as {settings.jid}.")

    def _rejected(self, error: Rejected) -> Finding:
        if error.condition == "conflict":
            sentence = f"{self._settings.jid} is connected already: the bridge is running."
            return Finding(
                ok=True, subject=self._name, sentence=sentence,
                advice="To have the rooms looked at as well, stop the bridge first.",
            )  # fmt: skip
        advice = _ADVICE.get((self._settings.mode, error.condition), "")
        return Finding(
            ok=False, subject=self._name, sentence=error.sentence,
            advice=advice or "Look into the log of the XMPP server.",
        )  # fmt: skip

    async def _room(self, wire: Wire, room: str) -> Finding:
        subject = f"{self._name}: {room}"
        try:
            features = await Features.of(wire, room)
        except StanzaError as error:
            if error.condition not in GONE:
                return Finding(
                    ok=False, subject=subject, sentence=f"The room does not answer ({error}).",
                    advice="Check its address.",
                )  # fmt: skip
            if self._settings.create_rooms:
                sentence = "The room does not exist; the bridge will make it."
                return Finding(ok=True, subject=subject, sentence=sentence)
            return Finding(
                ok=False, subject=subject, sentence="The room does not exist.",
                advice="Make it, check its address, or set create_rooms: true.",
            )  # fmt: skip
        except Unreachable as error:
            return Finding(ok=False, subject=subject, sentence=error.sentence)
        return await self._visit(wire, room, subject, features)

    async def _visit(self, wire: Wire, room: str, subject: str, features: Features) -> Finding:
        """Only those who enter learn whether they may; so enter, and leave again."""
        visitor = Occupant(wire.hears_as, room, {}, self._timing, lambda *_: None)
        self._visitors[room] = visitor
        try:
            seen = await visitor.enter(wire, self._settings.nick)
            if CREATED in seen.codes:
                await wire.ask("set", room, outgoing.destroy())
            await visitor.leave(wire)
        except StanzaError as error:
            return Finding(ok=False, subject=subject, sentence=f"The room fails ({error}).")
        except (Refused, Unreachable) as error:
            advice = error.advice or "Try again later."
            return Finding(ok=False, subject=subject, sentence=error.sentence, advice=advice)
        if features.moderated:
            return Finding(
                ok=True, subject=subject, sentence="The room can be entered; it is moderated.",
                advice="Ask an owner to let the doctors speak there.",
            )  # fmt: skip
        return Finding(ok=True, subject=subject, sentence="The room can be entered.")

    def _take(self, stanza: Element) -> None:
        room, _, nick = stanza.get("from", "").partition("/")
        visitor = self._visitors.get(room)
        if visitor is None or stanza.tag not in PRESENCE:
            return
        if stanza.get("type") == "error":
            visitor.failed(StanzaError.of(stanza), stanza.get("id"))
        elif is_about_oneself(stanza):
            visitor.saw(read_presence(stanza, nick))
