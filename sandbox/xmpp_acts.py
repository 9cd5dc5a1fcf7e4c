"""Further things that people do on XMPP, each as one call."""

import hashlib

import aiohttp

from sandbox.xmpp_user import XmppUser

_UPLOAD = "urn:xmpp:http:upload:0"


async def upload(user: XmppUser, service: str, data: bytes, name: str, mime: str) -> str:
    """Hand a file to the service, and return where it can be fetched (XEP-0363)."""
    answer = await user.ask(
        "get",
        service,
        f"<request xmlns='{_UPLOAD}' filename='{name}' size='{len(data)}' content-type='{mime}'/>",
    )
    slot = answer.find(f"{{{_UPLOAD}}}slot")
    assert slot is not None  # noqa: S101 - a sandbox
    put, get = slot.find(f"{{{_UPLOAD}}}put"), slot.find(f"{{{_UPLOAD}}}get")
    assert put is not None  # noqa: S101
    assert get is not None  # noqa: S101
    headers = {each.attrib["name"]: each.text or "" for each in put}
    async with (
        aiohttp.ClientSession() as http,
        http.put(
            put.attrib["url"], data=data, headers={**headers, "Content-Type": mime}
        ) as response,
    ):
        response.raise_for_status()
    return get.attrib["url"]


def show_photo(user: XmppUser, room: str, photo: bytes) -> None:
    """Tell a room of one's picture (XEP-0153)."""
    digest = hashlib.sha1(photo, usedforsecurity=False).hexdigest()
    nick = next(nick for nick, seen in user.occupants(room).items() if seen.is_self)
    user.client.send_raw(
        f"<presence to='{room}/{nick}'><x xmlns='vcard-temp:x:update'><photo>{digest}</photo></x>"
        "</presence>"
    )
