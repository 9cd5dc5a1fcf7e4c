"""What a room is given to know: how the bridge behaves in all rooms, and what to do in this one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.xmpp.portraits import Portraits
from adapters.xmpp.timing import Timing
from adapters.xmpp.uploads import Uploads
from bridge.contract import CatchUp
from bridge.model import Author, Place


@dataclass(frozen=True, slots=True)
class Manner:
    """How the bridge behaves in every room of one network.

    `nick` is the listener's, `listener` its full address; `domain` is the component's, or None
    where one account speaks for all; `create` tells whether to make rooms that do not exist;
    `gate` bounds how many rooms are entered at the same time; `uploads` is where files go;
    `portraits` are the doctors' pictures, where they are shown.
    """

    nick: str
    listener: str
    domain: str | None
    create: bool
    timing: Timing
    gate: asyncio.Semaphore
    uploads: Uploads
    portraits: Portraits | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """A room to take part in: the doctors `present` are to be in it, and `catch_up` tells what is
    known of it from before.
    """

    place: Place
    present: Sequence[Author]
    catch_up: CatchUp
