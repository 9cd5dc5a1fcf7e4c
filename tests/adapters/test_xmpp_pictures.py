"""Pictures of people and of rooms, and names of rooms, cross both ways."""

import hashlib
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from slixmpp.exceptions import IqError
from test_xmpp_membership import joined, left, renamed
from xmpp_lab import ANN, COMPONENT, DOMAIN, Bridge

from adapters.xmpp.vcards import Reference, reference_of, resolve
from bridge.contract import Feature, Level, LocalFile, Picture, Refused
from bridge.model import (
    Attachment,
    Joined,
    MediaKind,
    PictureChanged,
    Place,
    Renamed,
    Roster,
    TitleChanged,
)
from sandbox.prosody import Prosody
from sandbox.xmpp_user import RoomOptions, XmppUser

ANNS_ADDRESS = f"matrix+\\40dr.ann\\3ahospital.example@{COMPONENT}"
SHOWN = replace(ANN, avatar="mxc://hospital.example/ann")


def png(colour: str, side: int = 8) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(written, "PNG")
    return written.getvalue()


def noise(side: int) -> bytes:
    """A picture that no format makes small."""
    written = io.BytesIO()
    Image.effect_noise((side, side), 100).save(written, "PNG")
    return written.getvalue()


def sha1(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


async def fetched(bridge: Bridge, source: str) -> bytes:
    async with bridge.network.download(Attachment(MediaKind.IMAGE, source)) as pieces:
        return b"".join([piece async for piece in pieces])


@pytest.fixture
async def pia(xmpp_server: Prosody) -> AsyncIterator[XmppUser]:
    """A colleague with a picture."""
    await xmpp_server.add_user(f"pia@{DOMAIN}", "password")
    async with XmppUser(f"pia@{DOMAIN}", "password", xmpp_server.client_port) as user:
        await user.set_vcard_photo(png("red"))
        yield user


def update(photo: str) -> str:
    return f"<x xmlns='vcard-temp:x:update'><photo>{photo}</photo></x>"


async def show_photo(user: XmppUser, room: str, nick: str, photo: str) -> None:
    user.client.send_raw(f"<presence to='{room}/{nick}'>{update(photo)}</presence>")


# --- colleagues


async def test_a_colleagues_picture_is_told_and_can_be_fetched(
    either: Bridge, cora: XmppUser, pia: XmppUser, ward: str
) -> None:
    await either.enter(ward)
    await pia.join(ward, "Pia")
    changed = await either.inlet.first(Joined)
    assert changed.author.avatar is not None
    assert await fetched(either, changed.author.avatar) == png("red")
    await pia.change_nick(ward, "Prof Pia")
    await either.inlet.first(Renamed, name="Prof Pia")
    assert await fetched(either, changed.author.avatar) == png("red")
    mark = len(either.inlet.events)
    await show_photo(pia, ward, "Prof Pia", "")
    gone = await either.inlet.first(Renamed, after=mark)
    assert gone.author.avatar is None


async def test_a_picture_is_in_the_roster(either: Bridge, pia: XmppUser, ward: str) -> None:
    await pia.join(ward, "Pia")
    await either.enter(ward)
    roster = await either.inlet.first(Roster)
    photos = {author.name: author.avatar for author in roster.authors}
    assert photos["Pia"] == reference_of(ward, "Pia", sha1(png("red")))
    assert photos["Cora"] is None


@pytest.mark.parametrize("photo", ["0" * 40, "not a hash"])
async def test_a_picture_that_is_not_what_it_says_is_not_taken(
    component: Bridge, pia: XmppUser, ward: str, photo: str
) -> None:
    await component.enter(ward)
    await pia.join(ward, "Pia")
    with pytest.raises(Refused):
        await fetched(component, reference_of(ward, "Pia", "0" * 40))
    with pytest.raises(Refused):
        await fetched(component, "mxc://something.else/x")
    await show_photo(pia, ward, "Pia", photo)
    pia.say(ward, "end")
    heard = await component.inlet.text("end")
    told = photo if photo == "0" * 40 else sha1(png("red"))
    assert heard.author.avatar == reference_of(ward, "Pia", told)


@pytest.mark.parametrize("nick", ["", "Pia", "a/b: c"])
def test_a_reference_can_be_resolved(nick: str) -> None:
    photo = "ab" * 20
    assert resolve(reference_of("ward@muc.test", nick, photo)) == Reference(
        "ward@muc.test", nick, photo
    )


# --- doctors


async def test_a_doctors_picture_is_shown_and_can_be_fetched(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    component.inlet.pictures[SHOWN.avatar] = Picture("image/png", png("blue"))
    await component.enter(ward, SHOWN)
    await cora.presences.wait_for(
        lambda each: each.nick == "Dr Ann" and each.photo == sha1(png("blue"))
    )
    assert await cora.vcard_photo(f"{ward}/Dr Ann") == png("blue")
    await cora.configure(ward, RoomOptions(shows_addresses=True))
    assert await cora.vcard_photo(ANNS_ADDRESS) == png("blue")


async def test_a_doctors_new_picture_is_shown_and_its_end_too(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    await component.enter(ward, ANN)
    await cora.presences.wait_for(lambda each: each.nick == "Dr Ann" and each.photo == "")
    component.inlet.pictures["mxc://new"] = Picture("image/png", png("green"))
    await component.send(ward, renamed(replace(ANN, avatar="mxc://new")))
    await cora.presences.wait_for(lambda each: each.photo == sha1(png("green")))
    mark = len(cora.presences)
    await component.send(ward, renamed(ANN))
    await cora.presences.wait_for(lambda each: each.photo == "", after=mark)
    with pytest.raises(IqError):
        await cora.vcard_photo(f"{ward}/Dr Ann")


async def test_a_picture_that_is_too_large_is_made_smaller(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    large = noise(700)
    assert len(large) > 200_000
    component.inlet.pictures[SHOWN.avatar] = Picture("image/png", large)
    await component.enter(ward, SHOWN)
    photo = await cora.vcard_photo(f"{ward}/Dr Ann")
    assert Image.open(io.BytesIO(photo)).size == (192, 192)


@pytest.mark.parametrize("data", [b"\x89PNG" + bytes(100_000), None])
async def test_a_doctor_without_a_picture_that_can_be_shown_has_none(
    component: Bridge, cora: XmppUser, ward: str, data: bytes | None
) -> None:
    if data is not None:
        component.inlet.pictures[SHOWN.avatar] = Picture("image/png", data)
    await component.enter(ward, SHOWN)
    with pytest.raises(IqError, match="item-not-found"):
        await cora.vcard_photo(f"{ward}/Dr Ann")
    await component.say(ward, SHOWN, "still here")


async def test_a_picture_that_can_not_be_had_now_is_asked_for_again(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    away = replace(ANN, avatar="away")
    await component.enter(ward, away)
    with pytest.raises(IqError):
        await cora.vcard_photo(f"{ward}/Dr Ann")
    component.inlet.pictures["mxc://back"] = Picture("image/png", png("blue"))
    await component.say(ward, replace(ANN, avatar="mxc://back"), "here I am")
    await cora.presences.wait_for(lambda each: each.photo == sha1(png("blue")))


async def test_the_picture_is_shown_at_once_where_a_doctor_comes_in_again(
    component: Bridge, cora: XmppUser, ward: str
) -> None:
    component.inlet.pictures[SHOWN.avatar] = Picture("image/png", png("blue"))
    await component.enter(ward, SHOWN)
    await cora.presences.wait_for(lambda each: each.photo == sha1(png("blue")))
    await component.send(ward, left(ANN))
    mark = len(cora.presences)
    await component.send(ward, joined(SHOWN))
    came = await cora.presences.wait_for(lambda each: each.nick == "Dr Ann", after=mark)
    assert came.photo == sha1(png("blue"))


# --- rooms


def titled(title: str) -> Callable[[Place], TitleChanged]:
    return lambda place: TitleChanged(place, ANN, datetime.now(UTC), title)


def pictured(*, none: bool = False) -> Callable[[Place], PictureChanged]:
    picture = None if none else Attachment(MediaKind.IMAGE, "mxc://x/y")
    return lambda place: PictureChanged(place, ANN, datetime.now(UTC), picture)


async def test_a_rooms_new_name_is_told(either: Bridge, cora: XmppUser, room: str) -> None:
    await cora.configure(room, RoomOptions(title="Ward 1", shows_addresses=False))
    await either.enter(room)
    await cora.configure(room, RoomOptions(title="Ward <1>", shows_addresses=False))
    changed = await either.inlet.first(TitleChanged)
    assert (changed.title, changed.author.id) == ("Ward <1>", room)
    assert len(either.inlet.of(TitleChanged)) == 1


async def test_an_owner_gives_a_room_another_name_and_does_not_hear_of_it(
    either: Bridge, xmpp_server: Prosody, cora: XmppUser, room: str
) -> None:
    await cora.configure(room, RoomOptions(title="Ward 1", moderated=True, shows_addresses=False))
    await either.enter(room)
    assert either.network.capabilities(room).showing(Feature.TITLE) is Level.REFUSED
    with pytest.raises(Refused, match="Only owners may change the name"):
        await either.send(room, titled("Ward 2"))
    wire = either.network._wire
    assert wire is not None
    await cora.set_affiliation(room, wire.hears_as.partition("/")[0], "owner")
    await cora.presences.wait_for(
        lambda each: each.affiliation == "owner" and each.nick == "Consilium"
    )
    assert either.network.capabilities(room).showing(Feature.TITLE) is Level.FULL
    await either.send(room, titled("Ward & 2"))
    info = await cora.ask("get", room, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
    query = info[0]
    assert query.find("{*}identity").attrib["name"] == "Ward & 2"
    features = {each.attrib["var"] for each in query.findall("{*}feature")}
    assert "muc_moderated" in features  # all else is as it was
    cora.say(room, "end")
    await either.inlet.text("end")
    assert either.inlet.of(TitleChanged) == []


async def test_a_rooms_picture_is_told_and_can_be_fetched(
    either: Bridge, cora: XmppUser, ward: str
) -> None:
    await cora.set_vcard_photo(png("red"), of=ward)
    await either.enter(ward)
    await cora.set_vcard_photo(png("blue"), of=ward)
    changed = await either.inlet.first(PictureChanged)
    assert changed.picture is not None
    assert await fetched(either, changed.picture.source) == png("blue")
    assert len(either.inlet.of(PictureChanged)) == 1


async def test_an_owner_gives_a_room_a_picture_and_takes_it_away(
    component: Bridge, cora: XmppUser, ward: str, tmp_path: Path
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(png("green"))
    size = len(png("green"))
    file = LocalFile(path, "p.png", "image/png", size, MediaKind.IMAGE)
    await component.enter(ward)
    with pytest.raises(Refused, match="Only owners may change the picture"):
        await component.send(ward, pictured(), file=file)
    await cora.set_affiliation(ward, f"consilium@{COMPONENT}", "owner")
    await component.send(ward, pictured(), file=file)
    assert await cora.vcard_photo(ward) == png("green")
    with pytest.raises(Refused, match="could not be had"):
        await component.send(ward, pictured())
    with pytest.raises(Refused, match="may have 100 kB"):
        await component.send(ward, pictured(), file=replace(file, size=200_000))
    await component.send(ward, pictured(none=True))
    assert await cora.vcard_photo(ward) == b""
    cora.say(ward, "end")
    await component.inlet.text("end")
    assert component.inlet.of(PictureChanged) == []
