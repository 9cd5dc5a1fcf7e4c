"""Files cross both ways: as links with what is known of them, uploaded piece by piece."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import aiohttp
import pytest
from aiohttp import web
from xmpp_lab import ANN, UPLOADS, Bridge, component_settings, copy_of, message

from adapters.xmpp.errors import StanzaError
from adapters.xmpp.uploads import Uploads
from bridge.contract import Feature, Level, LocalFile, Refused, Unreachable
from bridge.model import Attachment, MediaKind, Message
from sandbox.mail_certificate import Certificate, make_certificate
from sandbox.ports import LOOPBACK, free_port
from sandbox.prosody import MAX_UPLOAD, Prosody
from sandbox.xmpp_user import XmppUser

URL = "https://files.example.org/a%20b/x-ray.png"


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., LocalFile]:
    def make(data: bytes, name: str = "x-ray.png", **more: object) -> LocalFile:
        path = tmp_path / "file"
        path.write_bytes(data)
        told = {"mime": "image/png", "kind": MediaKind.IMAGE, **more}
        return LocalFile(path, name, size=len(data), **told)

    return make


async def heard(bridge: Bridge) -> Message:
    found = await bridge.inlet.first(Message)
    assert isinstance(found, Message)
    return found


# --- in


async def test_a_link_that_is_a_file_is_handed_over_as_one(
    either: Bridge, cora: XmppUser, room: str
) -> None:
    await either.enter(room)
    cora.share(room, URL)
    found = await heard(either)
    assert found.text == ""
    assert found.attachments == (Attachment(MediaKind.IMAGE, URL, "x-ray.png", "image/png"),)


async def test_what_is_told_of_a_file_is_handed_over(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward)
    cora.post(
        ward,
        f"<body>{URL}</body><file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'>"
        "<file xmlns='urn:xmpp:file:metadata:0'><media-type>video/mp4</media-type>"
        "<name>gait.mp4</name><size>1234</size><width>640</width><height>480</height>"
        "<length>90500</length></file><sources><url-data "
        f"xmlns='http://jabber.org/protocol/url-data' target='{URL}'/></sources></file-sharing>"
        f"<x xmlns='jabber:x:oob'><url>{URL}</url></x>"
        "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:sfs:0'><body/></fallback>",
    )
    found = await heard(component)
    assert found.text == ""
    assert found.attachments == (
        Attachment(MediaKind.VIDEO, URL, "gait.mp4", "video/mp4", 1234, 640, 480, 90500),
    )


async def test_a_file_with_words_keeps_them(component: Bridge, cora: XmppUser, ward: str) -> None:
    await component.enter(ward)
    cora.post(ward, f"<body>Left knee\n{URL}</body><x xmlns='jabber:x:oob'><url>{URL}</url></x>")
    found = await component.inlet.text("Left knee")
    assert [each.source for each in found.attachments] == [URL]


STICKER = "<sticker xmlns='urn:xmpp:stickers:0' pack='p'/>"


@pytest.mark.parametrize(
    "told",
    [
        ("voice-message-1.ogg", "audio/ogg", "", MediaKind.VOICE),
        ("heart-sounds.ogg", "audio/ogg", "", MediaKind.AUDIO),
        ("report.pdf", "application/pdf", "", MediaKind.FILE),
        ("x.webp", "image/webp", STICKER, MediaKind.STICKER),
    ],
)
async def test_a_file_described_the_older_way_is_of_its_kind(
    component: Bridge, cora: XmppUser, ward: str, told: tuple[str, str, str, MediaKind]
) -> None:
    name, mime, sticker, kind = told
    await component.enter(ward)
    cora.post(
        ward,
        f"<body>{URL}</body>{sticker}<reference xmlns='urn:xmpp:reference:0' type='data' begin='0' "
        f"end='{len(URL)}'><media-sharing xmlns='urn:xmpp:sims:1'>"
        f"<file xmlns='urn:xmpp:jingle:apps:file-transfer:5'><media-type>{mime}</media-type>"
        f"<name>{name}</name></file><sources><reference xmlns='urn:xmpp:reference:0' type='data' "
        f"uri='{URL}'/></sources></media-sharing></reference>",
    )
    (attachment,) = (await heard(component)).attachments
    assert (attachment.kind, attachment.name, attachment.mime) == (kind, name, mime)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "javascript:alert(1)", "https://", "http://[::1", "aesgcm://x/y#k"],
)
async def test_what_is_no_web_address_stays_text(
    component: Bridge, cora: XmppUser, ward: str, url: str
) -> None:
    await component.enter(ward)
    cora.share(ward, url)
    assert (await component.inlet.text(url)).attachments == ()


# --- out


async def fetched(url: str) -> tuple[bytes, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.read(), answer.headers["Content-Type"]


async def test_a_doctors_file_is_uploaded_and_shown(
    either: Bridge, cora: XmppUser, ward: str, file: Callable[..., LocalFile]
) -> None:
    await either.enter(ward, ANN)
    data = bytes(range(256)) * 2000
    sent = await either.send(
        ward,
        message(ANN, "", attachments=(Attachment(MediaKind.IMAGE, "mxc://x/y"),)),
        file=file(data, "Röntgen <1>.png", width=640, height=480),
    )
    shown = await cora.wait_for(lambda each: each.id == sent.outgoing.key)
    assert await fetched(shown.body) == (data, "image/png")
    assert shown.find("jabber:x:oob", "x").findtext("{jabber:x:oob}url") == shown.body
    described = shown.find("urn:xmpp:sfs:0", "file-sharing")[0]
    told = {child.tag.rpartition("}")[2]: child.text for child in described}
    assert told == {
        "media-type": "image/png", "name": "Röntgen <1>.png", "size": str(len(data)),
        "width": "640", "height": "480",
    }  # fmt: skip
    assert await either.network.find(sent.outgoing) == sent.sent


async def test_a_file_can_answer_a_message(
    component: Bridge, cora: XmppUser, ward: str, file: Callable[..., LocalFile]
) -> None:
    await component.enter(ward, ANN)
    cora.say(ward, "Do you have the image?")
    asked = await component.inlet.text("Do you have the image?")
    sent = await component.send(ward, message(ANN, ""), file=file(b"x"), reply_to=copy_of(asked))
    shown = await cora.wait_for(lambda each: each.id == sent.outgoing.key)
    assert shown.answers == asked.id


async def test_the_services_limit_is_known_and_kept(
    either: Bridge, cora: XmppUser, ward: str, file: Callable[..., LocalFile]
) -> None:
    await either.enter(ward)
    can = either.network.capabilities(ward)
    assert (can.max_file, can.showing(Feature.FILE)) == (MAX_UPLOAD, Level.FULL)
    with pytest.raises(Refused, match="too large for Hospital"):
        await either.send(ward, message(ANN, ""), file=file(bytes(MAX_UPLOAD + 1)))


# --- services that fail, or mean harm


Put = Callable[[bytes], Awaitable[str]]


class Service:
    """A file service whose answers a test chooses, and a place to put files."""

    def __init__(self) -> None:
        self.status = 201
        self.received: list[tuple[dict[str, str], int]] = []
        self.port = free_port()
        self.put = f"http://{LOOPBACK}:{self.port}/put"
        self.headers = "<header name='Authorization'>Bearer x</header>"
        self.error: StanzaError | None = None
        self.boundjid = None

    async def ask(self, kind: str, to: str, payload: str) -> ET.Element:
        query = "<query xmlns='http://jabber.org/protocol/disco#{}'>{}</query>"
        if "disco#items" in payload:
            item = f"<item jid='{UPLOADS}'/>"
            return ET.fromstring(f"<iq>{query.format('items', item)}</iq>")
        if "disco#info" in payload:
            known = "<feature var='urn:xmpp:http:upload:0'/>" if to == UPLOADS else ""
            return ET.fromstring(f"<iq>{query.format('info', known)}</iq>")
        if self.error is not None:
            raise self.error
        return ET.fromstring(
            f"<iq><slot xmlns='urn:xmpp:http:upload:0'><put url='{self.put}'>{self.headers}</put>"
            f"<get url='{URL}'/></slot></iq>"
        )

    async def take(self, request: web.Request) -> web.Response:
        size, largest = 0, 0
        async for piece, _ in request.content.iter_chunks():
            size, largest = size + len(piece), max(largest, len(piece))
        self.received.append((dict(request.headers), size))
        headers = {"Location": f"http://{LOOPBACK}:{self.port}/elsewhere"}
        return web.Response(status=self.status, headers=headers)


@asynccontextmanager
async def serving(service: Service, certificate: Certificate | None = None) -> AsyncIterator[None]:
    app = web.Application(client_max_size=0)
    app.router.add_put("/{any:.*}", service.take)
    runner = web.AppRunner(app)
    await runner.setup()
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate.file, certificate.key)
        service.put = f"https://{LOOPBACK}:{service.port}/put"
    await web.TCPSite(runner, LOOPBACK, service.port, ssl_context=tls).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    async with serving(service):
        yield service


@pytest.fixture
async def uploads(service: Service, xmpp_server: Prosody) -> Uploads:
    uploads = Uploads(component_settings(xmpp_server), "Hospital")
    await uploads.discover(service)
    assert uploads.available
    return uploads


@pytest.fixture
def put(service: Service, uploads: Uploads, file: Callable[..., LocalFile]) -> Put:
    return lambda data: uploads.put(service, file(data))


async def test_a_file_is_put_with_its_size_and_only_such_headers_as_are_allowed(
    service: Service, put: Put
) -> None:
    service.headers += "<header name='X-Evil'>1</header><header name='Cookie'>a=b&#10;c</header>"
    assert await put(b"x" * 300_000) == URL
    ((headers, size),) = service.received
    assert (size, headers["Content-Length"]) == (300_000, "300000")
    assert (headers["Authorization"], headers["Cookie"]) == ("Bearer x", "a=bc")
    assert "X-Evil" not in headers


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (413, Refused, "too large"),
        (403, Refused, "HTTP 403"),
        (302, Refused, "HTTP 302"),
        (503, Unreachable, "HTTP 503"),
    ],
)
async def test_what_the_service_answers_to_a_file_is_told(
    service: Service, put: Put, status: int,
    kind: type[Exception], words: str,
) -> None:  # fmt: skip
    service.status = status
    with pytest.raises(kind, match=words):
        await put(b"x")
    assert len(service.received) == 1  # nothing is sent on to where it points


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (StanzaError("modify", "not-acceptable", "File too large"), Refused, "too large"),
        (StanzaError("modify", "not-acceptable", "Bad type"), Refused, "does not take x-ray.png"),
        (StanzaError("auth", "forbidden"), Refused, "may not put files"),
        (StanzaError("wait", "resource-constraint", "Daily quota"), Unreachable, "Daily quota"),
    ],
)
async def test_why_the_service_takes_no_file_is_told(
    service: Service, put: Put, error: StanzaError,
    kind: type[Exception], words: str,
) -> None:  # fmt: skip
    service.error = error
    with pytest.raises(kind, match=words):
        await put(b"x")


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://files.example.org/put", Refused),
        ("ftp://files.example.org/put", Unreachable),
        ("", Unreachable),
    ],
)
async def test_a_file_is_put_nowhere_unsafe(
    service: Service, put: Put, url: str,
    kind: type[Exception],
) -> None:  # fmt: skip
    service.put = url
    with pytest.raises(kind):
        await put(b"x")


async def test_the_services_certificate_is_checked(
    xmpp_server: Prosody, file: Callable[..., LocalFile], tmp_path: Path
) -> None:
    certificate = await make_certificate(tmp_path)
    service = Service()
    async with serving(service, certificate):
        for ca in (None, certificate.file):
            uploads = Uploads(component_settings(xmpp_server, ca=ca), "Hospital")
            await uploads.discover(service)
            if ca is None:
                with pytest.raises(Unreachable, match="certificate of the file service"):
                    await uploads.put(service, file(b"x"))
                assert service.received == []
            else:
                assert await uploads.put(service, file(b"x")) == URL


async def test_a_service_that_is_away_is_tried_again(service: Service, put: Put) -> None:
    service.put = f"http://{LOOPBACK}:{free_port()}/put"
    with pytest.raises(Unreachable):
        await asyncio.wait_for(put(b"x"), 10)


async def test_without_a_service_files_are_shown_otherwise(
    xmpp_server: Prosody, file: Callable[..., LocalFile]
) -> None:
    class Nothing(Service):
        async def ask(self, kind: str, to: str, payload: str) -> ET.Element:
            raise StanzaError("cancel", "service-unavailable")

    uploads = Uploads(component_settings(xmpp_server), "Hospital")
    await uploads.discover(Nothing())
    assert not uploads.available
    with pytest.raises(Refused, match="no file service"):
        await uploads.put(Nothing(), file(b"x"))
