"""Stanzas to a room, as text. Every value is escaped here; callers pass plain strings."""

from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from adapters.xmpp.xml import DATA_FORM, MUC, MUC_OWNER, STANZAS, VCARD_UPDATE, attribute, text

NO_HISTORY = "<history maxstanzas='0'/>"
_ROOM_CONFIG = "http://jabber.org/protocol/muc#roomconfig"


def say_in_passing(sender: str, room: str, contents: str) -> str:
    """A groupchat message for nobody to keep."""
    return (
        f"<message from='{attribute(sender)}' to='{attribute(room)}' type='groupchat'>"
        f"{contents}</message>"
    )


def set_subject(sender: str, room: str, key: str, subject: str) -> str:
    """A change of the room's subject (XEP-0045, section 8.1)."""
    return (
        f"<message from='{attribute(sender)}' to='{attribute(room)}' type='groupchat' "
        f"id='{attribute(key)}'><subject>{text(subject)}</subject></message>"
    )


def join(sender: str, place: str, id_: str, history: str = NO_HISTORY, photo: str = "") -> str:
    """A request to enter a room (XEP-0045, section 7.2); `place` is the room with the nick, `photo`
    as `picture` makes it.
    """
    return (
        f"<presence from='{attribute(sender)}' to='{attribute(place)}' "
        f"id='{attribute(id_)}'><x xmlns='{MUC}'>{history}</x>{photo}</presence>"
    )


def history_since(time: datetime, most: int) -> str:
    """What to ask of a room's memory at entry (XEP-0045, section 7.2.14)."""
    stamp = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"<history since='{stamp}' maxstanzas='{most}'/>"


def last_of_history(most: int) -> str:
    """The same, for the last messages whenever they were said."""
    return f"<history maxstanzas='{most}'/>"


def rename(sender: str, place: str, id_: str, photo: str = "") -> str:
    """A request for another nick (XEP-0045, section 7.6), or a presence under the same one."""
    return (
        f"<presence from='{attribute(sender)}' to='{attribute(place)}' "
        f"id='{attribute(id_)}'>{photo}</presence>"
    )


def picture(photo: str | None) -> str:
    """What a presence tells of a picture (XEP-0153, section 3.1): its hash, that there is none
    (""), or nothing yet (None).
    """
    told = "" if photo is None else f"<photo>{text(photo)}</photo>"
    return f"<x xmlns='{VCARD_UPDATE}'>{told}</x>"


def leave(sender: str, room: str, nick: str, reason: str = "") -> str:
    """The farewell of an occupant (XEP-0045, section 7.14)."""
    status = f"<status>{text(reason)}</status>" if reason else ""
    return (
        f"<presence from='{attribute(sender)}' to='{attribute(f'{room}/{nick}')}' "
        f"type='unavailable'>{status}</presence>"
    )


def refuse(sender: str, to: str, id_: str, words: str) -> str:
    """The answer to a message that goes nowhere (RFC 6120, section 8.3)."""
    return (
        f"<message from='{attribute(sender)}' to='{attribute(to)}' type='error' "
        f"id='{attribute(id_)}'><error type='cancel'><feature-not-implemented xmlns='{STANZAS}'/>"
        f"<text xmlns='{STANZAS}'>{text(words)}</text></error></message>"
    )


def answer(request: Element, payload: str) -> str:
    """The answer to a request (RFC 6120, section 8.2.3)."""
    to, from_, id_ = (attribute(request.get(name, "")) for name in ("from", "to", "id"))
    return f"<iq type='result' from='{from_}' to='{to}' id='{id_}'>{payload}</iq>"


def refuse_request(request: Element, condition: str) -> str:
    """The answer to a request that can't be fulfilled."""
    to, from_, id_ = (attribute(request.get(name, "")) for name in ("from", "to", "id"))
    return (
        f"<iq type='error' from='{from_}' to='{to}' id='{id_}'><error type='cancel'>"
        f"<{condition} xmlns='{STANZAS}'/></error></iq>"
    )


def accept_defaults() -> str:
    """The owner's form for a new room: as the service sets it up, but lasting (section 10.1)."""
    return (
        f"<query xmlns='{MUC_OWNER}'><x xmlns='{DATA_FORM}' type='submit'>"
        f"<field var='FORM_TYPE'><value>{_ROOM_CONFIG}</value></field>"
        "<field var='muc#roomconfig_persistentroom'><value>1</value></field></x></query>"
    )


def destroy() -> str:
    """An owner's request to take the room away (section 10.9)."""
    return f"<query xmlns='{MUC_OWNER}'><destroy/></query>"
