"""One connection to an XMPP server, until it ends. slixmpp negotiates; stanzas pass it by.

slixmpp builds an object for every stanza and matches it against every handler, which costs more
than all the rest of the bridge does for a message. A component hears each message once for every
doctor in the room, so messages, presences and answers to own requests are taken from the parsed
XML directly; the rest (features, authentication, others' requests) goes slixmpp's way.
"""

import asyncio
import errno
import itertools
import logging
import os
import ssl
import time
from collections.abc import Callable
from typing import Any, Final
from xml.etree.ElementTree import Element

import structlog
from slixmpp import ClientXMPP, ComponentXMPP
from slixmpp.basexmpp import BaseXMPP

from adapters.xmpp.errors import StanzaError
from adapters.xmpp.identity import LISTENER, RESOURCE
from adapters.xmpp.settings import (
    CLIENT_PORT,
    COMPONENT_PORT,
    DIRECT_TLS_PORT,
    Mode,
    Tls,
    XmppSettings,
)
from adapters.xmpp.timing import Timing
from adapters.xmpp.xml import PING, VCARD, attribute, names
from bridge.contract import Unreachable

log = structlog.get_logger()

# slixmpp logs whole stanzas, texts of messages and passwords among them. What matters of its
# events is reported from here.
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)

Sink = Callable[[Element], None]

MESSAGE: Final = names("message")
PRESENCE: Final = names("presence")
_TAKEN: Final = MESSAGE | PRESENCE
IQ: Final = names("iq")
_VCARD: Final = f"{{{VCARD}}}vCard"
_CLOSING_SECONDS: Final = 2.0


class Rejected(Unreachable):
    """The server closed the stream or refused the login, and says why.

    Args:
        sentence: for people.
        condition: the stream or SASL error's defined condition; may be empty.
    """

    def __init__(self, sentence: str, condition: str = "") -> None:
        super().__init__(sentence)
        self.condition = condition


class Wire(BaseXMPP):
    """What the two kinds of connection have in common. Serves once: `open`, use, `close`."""

    hears_as: str
    """The full address of the occupant that hears for all."""
    closed: asyncio.Future[str]
    """Done when the connection has ended: why, in one sentence."""

    def _set_up(self, server: str, sink: Sink, timing: Timing) -> None:
        self.heard_at = time.monotonic()
        self._paused = False
        self._server_named = server
        self._sink = sink
        self._timing = timing
        self._asked: dict[str, tuple[str, asyncio.Future[Element]]] = {}
        self._numbers = itertools.count(1)
        self._why: Rejected | None = None
        self._started: asyncio.Future[None] = self.loop.create_future()
        self.closed = self.loop.create_future()
        self.end_session_on_disconnect = True
        for plugin in ("xep_0030", "xep_0199"):
            self.register_plugin(plugin)
        self.add_event_handler("session_start", self._on_started)
        self.add_event_handler("connection_failed", self._on_connection_failed)
        self.add_event_handler("failed_auth", self._on_failed_auth)
        self.add_event_handler("no_auth", self._on_no_auth)
        self.add_event_handler("ssl_invalid_chain", self._on_bad_certificate)
        self.add_event_handler("disconnected", self._on_disconnected)

    # --- opening and closing

    async def open(self) -> None:
        """Connect and log in.

        Raises:
            Rejected: it did not come about; the sentence says why.
        """
        try:
            async with asyncio.timeout(self._timing.connect):
                attempt = self._dial()
                await _first_of(attempt, self.closed)
                if not attempt.done() or attempt.cancelled() or attempt.result() is None:
                    await _first_of(self._started, self.closed)
                # Else it has failed, and the result is slixmpp's own next attempt.
        except TimeoutError:
            self._why = self._why or Rejected(f"{self._server_named} does not answer.")
        finally:
            if not self._started.done():
                await self.close()
        if not self._started.done():
            raise self._why or Rejected(f"{self._server_named} closed the connection.")

    def _dial(self) -> "asyncio.Future[Any]":
        raise NotImplementedError

    async def close(self) -> None:
        """End the stream, politely but quickly, and every task of it."""
        self.cancel_connection_attempt()
        if self.transport is not None:
            self.transport.resume_reading()
            self.disconnect(wait=_CLOSING_SECONDS, ignore_send_queue=True)
            await asyncio.wait({self.closed}, timeout=_CLOSING_SECONDS + 0.5)
        self._end("The connection was closed.")
        if self.transport is not None:
            self.transport.abort()
        if self._run_out_filters is not None:
            self._run_out_filters.cancel()

    def _end(self, why: str) -> None:
        if not self.closed.done():
            self.closed.set_result(why)
        for _, answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Unreachable(why, doubtful=True))
        self._asked.clear()

    async def watch(self) -> None:
        """Wait for the end of the connection; bring it about when the server has gone silent."""
        while not self.closed.done():
            quiet = time.monotonic() - self.heard_at
            await asyncio.wait({self.closed}, timeout=max(0.0, self._timing.idle - quiet))
            if self._paused:  # no wonder it is silent
                self.heard_at = time.monotonic()
            asked_at = time.monotonic()
            if self.closed.done() or asked_at - self.heard_at < self._timing.idle:
                continue
            self.post(self._server_ping())
            await asyncio.wait({self.closed}, timeout=self._timing.answer)
            if self.heard_at < asked_at and not self._paused and self.transport is not None:
                self._why = Rejected(f"{self._server_named} does not answer any more.")
                self.abort()

    def _server_ping(self) -> str:
        """A request to which the server sends anything at all.

        That is an answer, or, where a component can only ask itself, the request.
        """
        raise NotImplementedError

    # --- using it

    def post(self, stanza: str) -> None:
        """Send a stanza.

        Raises:
            Unreachable: there is no connection.
        """
        if self.transport is None or self.transport.is_closing() or self.closed.done():
            raise Unreachable(f"{self._server_named} is not connected.")
        self.transport.write(stanza.encode())

    def new_number(self) -> str:
        """An id that no other stanza of this connection has."""
        return f"c{next(self._numbers)}"

    async def ask(self, kind: str, to: str, payload: str) -> Element:
        """Send a request (`get` or `set`, RFC 6120, section 8.2.3) and wait for the answer.

        Raises:
            StanzaError: the answer is an error.
            Unreachable: no answer came, or the connection ended.
        """
        id_ = f"{self.new_number()}-{time.monotonic_ns():x}"
        answer: asyncio.Future[Element] = self.loop.create_future()
        self._asked[id_] = (to, answer)
        try:
            self.post(
                f"<iq type='{kind}' from='{attribute(self.hears_as)}' to='{attribute(to)}' "
                f"id='{id_}'>{payload}</iq>"
            )
            while not answer.done():
                paused = self._paused
                await asyncio.wait({answer}, timeout=self._timing.answer)
                if not (answer.done() or paused or self._paused):  # no wonder it is silent
                    raise Unreachable(f"{to.partition('/')[0]} does not answer.")
            found = answer.result()
        finally:
            self._asked.pop(id_, None)
            if not answer.cancel():
                answer.exception()  # it came when nobody waited any more
        if found.get("type") == "error":
            raise StanzaError.of(found)
        return found

    def pause(self) -> None:
        """Read nothing more from the server for now."""
        self._paused = True
        if self.transport is not None:
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        self._paused = False
        self.heard_at = time.monotonic()
        if self.transport is not None:
            self.transport.resume_reading()

    # --- slixmpp's hooks

    def data_received(self, data: bytes | str) -> None:
        """Note the sign of life."""
        self.heard_at = time.monotonic()
        super().data_received(data)

    def _spawn_event(self, xml: Element) -> None:
        """Take what is the bridge's; slixmpp gets the rest. No stanza may end the connection."""
        try:
            if xml.tag in _TAKEN:
                self._sink(xml)
            elif not (xml.tag in IQ and (self._answers(xml) or self._asks(xml))):
                super()._spawn_event(xml)
        except Exception:
            log.exception("stanza_not_handled", sender=xml.get("from"))

    def _answers(self, iq: Element) -> bool:
        """Whether it is the answer to an own request, from the one who was asked."""
        if iq.get("type") not in {"result", "error"}:
            return False
        to, answer = self._asked.get(iq.get("id", ""), ("", None))
        if answer is None or iq.get("from", to) != to:
            return False
        if not answer.done():
            answer.set_result(iq)
        return True

    def _asks(self, iq: Element) -> bool:  # noqa: ARG002 - for those that do
        """Whether it is a request that the bridge answers itself."""
        return False

    def exception(self, exception: BaseException) -> None:
        """Take what the library's handlers raise."""
        log.error("xmpp_library_failed", reason=type(exception).__name__)

    def _on_started(self, _event: object) -> None:
        if not self._started.done():
            self._started.set_result(None)

    def _on_connection_failed(self, error: object) -> None:
        if isinstance(error, ssl.SSLCertVerificationError):
            self._why = Rejected(
                f"The certificate of {self._server_named} is not valid ({error.verify_message}).",
                "certificate",
            )
        elif isinstance(error, ssl.SSLError):
            self._why = Rejected(f"{self._server_named} does not speak TLS there.", "tls")
        else:
            self._why = Rejected(
                f"{self._server_named} can't be reached ({_cause(error)}).", "unreachable"
            )

    def _on_failed_auth(self, _failure: object) -> None:
        self._why = Rejected(
            f"{self._server_named} does not accept the password of {self.requested_jid.bare}.",
            "not-authorized",
        )

    def _on_no_auth(self, _event: object) -> None:
        self._why = self._why or Rejected(
            f"{self._server_named} offers no encryption, or no way of logging in that is safe.",
            "tls",
        )

    def _on_bad_certificate(self, error: object) -> None:
        detail = getattr(error, "verify_message", "") or "TLS failed"
        self._why = Rejected(
            f"The certificate of {self._server_named} is not valid ({detail}).", "certificate"
        )
        self.abort()

    def _handle_stream_error(self, error: Any) -> None:  # noqa: ANN401 - slixmpp's StreamError
        """Take note; slixmpp itself would follow a server that sends it elsewhere."""
        condition = str(error["condition"])
        self._why = Rejected(_stream_words(self._server_named, self.requested_jid.bare, condition),
                             condition)  # fmt: skip

    def _on_disconnected(self, _reason: object) -> None:
        lost = f"{self._server_named} closed the connection."
        self._end(self._why.sentence if self._why else lost)


class ComponentWire(Wire, ComponentXMPP):
    """The connection of an external component (XEP-0114)."""

    def __init__(self, settings: XmppSettings, name: str, sink: Sink, timing: Timing) -> None:
        host, port = settings.host or "localhost", settings.port or COMPONENT_PORT
        ComponentXMPP.__init__(self, settings.jid, settings.key, host, port)  # type: ignore[no-untyped-call]
        self.hears_as = f"{LISTENER}@{self.boundjid.bare}/{RESOURCE}"
        self._set_up(name, sink, timing)

    def _dial(self) -> "asyncio.Future[Any]":
        return ComponentXMPP.connect(self)

    def _asks(self, iq: Element) -> bool:
        """Whether somebody wants the picture of one of the bridge's own."""
        asks = iq.get("type") == "get" and iq.find(_VCARD) is not None
        if asks:
            self._sink(iq)
        return asks

    def _server_ping(self) -> str:
        own = attribute(self.boundjid.bare)
        return f"<iq type='get' from='{own}' to='{own}' id='alive'><ping xmlns='{PING}'/></iq>"


class AccountWire(Wire, ClientXMPP):
    """The connection of a client."""

    def __init__(self, settings: XmppSettings, name: str, sink: Sink, timing: Timing) -> None:
        plain = settings.tls is Tls.OFF
        config = {"unencrypted_plain": plain, "unencrypted_scram": plain}
        ClientXMPP.__init__(
            self, settings.jid, settings.key, plugin_config={"feature_mechanisms": config}
        )
        port = settings.port or CLIENT_PORT
        self._address = (settings.host, port) if settings.host else (None, None)
        self.enable_plaintext = plain
        self.enable_starttls = not plain and (settings.host is None or port != DIRECT_TLS_PORT)
        self.enable_direct_tls = not plain and (settings.host is None or port == DIRECT_TLS_PORT)
        self.ca_certs = settings.ca
        self.hears_as = self.boundjid.full
        self._set_up(name, sink, timing)

    def _dial(self) -> "asyncio.Future[Any]":
        host, port = self._address
        return ClientXMPP.connect(self, host, port)

    def _on_started(self, event: object) -> None:
        self.hears_as = self.boundjid.full
        super()._on_started(event)

    def _server_ping(self) -> str:
        to = attribute(self.boundjid.host)
        return f"<iq type='get' to='{to}' id='alive'><ping xmlns='{PING}'/></iq>"


def make_wire(settings: XmppSettings, name: str, sink: Sink, timing: Timing) -> Wire:
    """A connection of the kind that the settings ask for, not yet open."""
    kind = ComponentWire if settings.mode is Mode.COMPONENT else AccountWire
    return kind(settings, name, sink, timing)


async def _first_of(*futures: "asyncio.Future[Any]") -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def _cause(error: object) -> str:
    """What the system says, without the address that is told already."""
    refused = "connection refused"
    if isinstance(error, ConnectionRefusedError):
        return refused
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    # Where a name has several addresses, asyncio lists what each attempt led to.
    return refused if f"Errno {errno.ECONNREFUSED}]" in str(error) else str(error)


def _stream_words(server: str, jid: str, condition: str) -> str:
    match condition:
        case "not-authorized":
            return f"{server} does not accept the secret of {jid}."
        case "host-unknown":
            return f"{server} does not know {jid}."
        case "conflict":
            return f"{server} has another connection as {jid} open."
        case "system-shutdown":
            return f"{server} is shutting down."
    return f"{server} closed the connection ({condition.replace('-', ' ')})."
