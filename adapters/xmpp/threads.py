"""Sub-conversations (XEP-0201).

In a room, a thread's id alone means little: some clients begin a new one with every message, and
some put one and the same on all that they say in a session. Only where a second person takes a
thread up do people hold a conversation within the conversation. So the first message of a thread
is a message like any other, which can be referred to by the thread's name, and it is the root of
the topic; those of the same person that follow stay in the open, until somebody else joins in.
Threads that the bridge has made are known by their form.
"""

import hashlib
import re
from collections import OrderedDict
from typing import Final

from adapters.xmpp.xml import text
from bridge.contract import Topic

_NAMED: Final = "thread:"
_OWN: Final = re.compile("consilium-[0-9a-z]{16,}")
_REMEMBERED: Final = 500
_LONGEST: Final = 200


class Threads:
    """Those of one room that were heard of lately."""

    def __init__(self) -> None:
        self._begun_by: OrderedDict[str, str | None] = OrderedDict()
        """Who alone has used each so far; None when there are several."""

    def heard(self, thread: str | None, author_id: str) -> tuple[str | None, str | None]:
        """The topic that a message is in, and a further name that its thread gives it."""
        if not thread or len(thread) > _LONGEST:
            return None, None
        name = _NAMED + thread
        if _OWN.fullmatch(thread):
            return name, None
        if thread not in self._begun_by:
            self._begun_by[thread] = author_id
            while len(self._begun_by) > _REMEMBERED:
                self._begun_by.popitem(last=False)
            return None, name
        self._begun_by.move_to_end(thread)
        if self._begun_by[thread] in {None, author_id}:
            return (name, None) if self._begun_by[thread] is None else (None, None)
        self._begun_by[thread] = None
        return name, None


def name_of(topic: Topic, key: str) -> str:
    """What the room calls a topic into which the message `key` goes: a new one gets a name that
    is the same at every attempt.
    """
    if topic.id is not None:
        return topic.id
    begun = key if topic.root is None else topic.root.key or topic.root.id
    digest = hashlib.sha256(begun.encode(errors="surrogatepass")).hexdigest()[:24]
    return f"{_NAMED}consilium-{digest}"


def element(name: str) -> str:
    """What puts a message into the topic of this name."""
    return f"<thread>{text(name.removeprefix(_NAMED))}</thread>"
