"""Files for a room: put on the server's own file service (XEP-0363), and shown as a link."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from functools import cached_property
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import aiohttp
import structlog

from adapters.xmpp.attachments import is_link
from adapters.xmpp.errors import WAIT_SECONDS, StanzaError
from adapters.xmpp.settings import Mode, XmppSettings, is_loopback
from adapters.xmpp.wire import Wire
from adapters.xmpp.xml import DATA_FORM, DISCO_INFO, DISCO_ITEMS, UPLOAD, attribute
from bridge.contract import LocalFile, Refused, Unreachable

log = structlog.get_logger()

_PATIENCE: Final = 20.0
_PIECE: Final = 64 * 1024
_LOOKED_AT_MOST: Final = 30
_HEADERS: Final = {"authorization": "Authorization", "cookie": "Cookie", "expires": "Expires"}
"""The only ones that a service may ask for (section 5)."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=900, sock_connect=20, sock_read=60)
_TAKEN: Final = frozenset({200, 201, 204})
_TOO_LARGE: Final = 413
_FAULTS_FROM: Final = 500


class Uploads:
    """The file service of one network, as found at each connection.

    Args:
        settings: say where to look, and which authority to trust.
        name: how people call the network.
    """

    def __init__(self, settings: XmppSettings, name: str) -> None:
        self.max_file: int | None = None
        """Bytes; None for no limit known."""
        self._settings = settings
        self._name = name
        self._service: str | None = None
        self._found = asyncio.Event()

    @property
    def available(self) -> bool:
        """Whether there is a service."""
        return self._service is not None

    # --- finding it

    async def discover(self, wire: Wire) -> None:
        """Look for it among what the server offers; once for each connection."""
        try:
            candidates = await self._candidates(wire)
            answers = await asyncio.gather(*(_look(wire, jid) for jid in candidates))
        except Unreachable:
            return  # the next connection looks again
        finally:
            self._found.set()
        self._service = None
        for jid, query in zip(candidates, answers, strict=True):
            if query is not None and _announces(query):
                self._service, self.max_file = jid, _limit(query)
                log.info("file_service_found", network=self._name, limit=self.max_file)
                return

    async def _candidates(self, wire: Wire) -> list[str]:
        domain = self._settings.jid.rpartition("@")[2]
        if self._settings.mode is Mode.COMPONENT:
            domain = domain.partition(".")[2] or domain
        try:
            answer = await wire.ask("get", domain, f"<query xmlns='{DISCO_ITEMS}'/>")
        except StanzaError:
            return []
        items = answer.iterfind(f"{{{DISCO_ITEMS}}}query/{{{DISCO_ITEMS}}}item")
        found = [jid for item in items if (jid := item.get("jid")) and not item.get("node")]
        others = [jid for jid in (domain, *found) if jid != self._settings.jid]
        return others[:_LOOKED_AT_MOST]

    # --- using it

    async def put(self, wire: Wire, file: LocalFile) -> str:
        """Upload a file, piece by piece; the URL where everyone can fetch it.

        Raises:
            Refused: the service does not take this file.
            Unreachable: not now.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._found.wait()
        except TimeoutError:
            raise Unreachable(f"The file service of {self._name} was not found yet.") from None
        if self._service is None:
            raise Refused(
                f"{self._name} has no file service.",
                "Ask its admin to switch one on (XEP-0363: in Prosody, http_file_share).",
            )
        if self.max_file is not None and file.size > self.max_file:
            raise self._too_large(file)
        put, headers, get = await self._slot(wire, self._service, file)
        await self._send(put, headers, file)
        return get

    def _too_large(self, file: LocalFile) -> Refused:
        most = "" if self.max_file is None else f" (at most {self.max_file / 1e6:.1f} MB)"
        return Refused(
            f"The file {file.name} is too large for {self._name}: {file.size / 1e6:.1f} MB{most}."
        )

    async def _slot(
        self, wire: Wire, service: str, file: LocalFile
    ) -> tuple[str, dict[str, str], str]:
        """Where to put it and how, and where it will be then (section 4)."""
        try:
            answer = await wire.ask(
                "get",
                service,
                f"<request xmlns='{UPLOAD}' filename='{attribute(_plain(file.name))}' "
                f"size='{file.size}' content-type='{attribute(file.mime)}'/>",
            )
        except StanzaError as error:
            raise self._no_slot(file, error) from error
        put, get = (answer.find(f"{{{UPLOAD}}}slot/{{{UPLOAD}}}{part}") for part in ("put", "get"))
        urls = [(each.get("url") or "").strip() for each in (put, get) if each is not None]
        if put is None or len(urls) != 2 or not all(map(is_link, urls)):
            raise Unreachable(f"The file service of {self._name} gave no address for the file.")
        parts = urlsplit(urls[0])
        if parts.scheme != "https" and not is_loopback(parts.hostname):
            raise Refused(f"The file service of {self._name} takes files without encryption only.")
        return urls[0], dict(_headers(put.iterfind(f"{{{UPLOAD}}}header"))), urls[1]

    def _no_slot(self, file: LocalFile, error: StanzaError) -> Unreachable | Refused:
        if error.kind == "wait" or error.condition == "resource-constraint":
            return Unreachable(
                f"The file service of {self._name} asks to wait ({error}).",
                retry_after=WAIT_SECONDS,
            )
        if error.condition in {"forbidden", "not-allowed", "not-authorized"}:
            return Refused(
                f"The bridge may not put files on the file service of {self._name}.",
                "Ask its admin to let the bridge's address do so (in Prosody, "
                "http_file_share_access).",
            )
        if "large" in error.text.lower():
            return self._too_large(file)
        return Refused(f"The file service of {self._name} does not take {file.name} ({error}).")

    async def _send(self, url: str, headers: dict[str, str], file: LocalFile) -> None:
        given = {**headers, "Content-Type": file.mime, "Content-Length": str(file.size)}
        where = f"The file service of {self._name}"
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False) as session,
                session.put(
                    url,
                    data=_pieces(file.path),
                    headers=given,
                    ssl=self._trust,
                    allow_redirects=False,
                ) as answer,
            ):
                status = answer.status
        except aiohttp.ClientConnectorCertificateError as error:
            msg = f"The certificate of the file service of {self._name} is not valid."
            raise Unreachable(msg) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(f"{where} can't be reached ({type(error).__name__}).") from error
        if status in _TAKEN:
            return
        if status == _TOO_LARGE:
            raise self._too_large(file)
        if status >= _FAULTS_FROM:
            raise Unreachable(f"{where} failed (HTTP {status}).")
        raise Refused(f"{where} does not take {file.name} (HTTP {status}).")

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        trust = ssl.create_default_context()
        if self._settings.ca is not None:
            trust.load_verify_locations(self._settings.ca)
        return trust


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    file: IO[bytes] = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
    finally:
        file.close()


def _plain(name: str) -> str:
    """The name without what would make a path of it."""
    return name.replace("/", "_").replace("\\", "_") or "file"


def _headers(elements: Iterable[Element]) -> Iterable[tuple[str, str]]:
    for header in elements:
        name = _HEADERS.get((header.get("name") or "").lower())
        if name is not None:
            yield name, (header.text or "").replace("\r", "").replace("\n", "")


async def _look(wire: Wire, jid: str) -> Element | None:
    try:
        answer = await wire.ask("get", jid, f"<query xmlns='{DISCO_INFO}'/>")
    except (StanzaError, Unreachable):
        return None
    return answer.find(f"{{{DISCO_INFO}}}query")


def _announces(query: Element) -> bool:
    features = query.iterfind(f"{{{DISCO_INFO}}}feature")
    return any(feature.get("var") == UPLOAD for feature in features)


def _limit(query: Element) -> int | None:
    """The most that it takes (section 3)."""
    for form in query.iterfind(f"{{{DATA_FORM}}}x"):
        fields = {
            field.get("var"): field.findtext(f"{{{DATA_FORM}}}value") or ""
            for field in form.iterfind(f"{{{DATA_FORM}}}field")
        }
        limit = fields.get("max-file-size", "").strip()
        if fields.get("FORM_TYPE") == UPLOAD and limit.isascii() and limit.isdecimal():
            return int(limit)
    return None
