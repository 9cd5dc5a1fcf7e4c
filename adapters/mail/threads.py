"""Which conversation a mail belongs to, even where lists and programs lose the traces.

The mailbox itself is the memory: what was read lately is kept here, and what is not is looked up
there. A mail's ancestors decide, the nearest known one first: References and In-Reply-To, which
all but a few programs write. Without them, Outlook's Thread-Index. The subject comes last, only
for a mail that says it is an answer, and only among the mails of two weeks: two conversations in
one topic are worse than one in two.
"""

import base64
import binascii
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from adapters.mail.belonging import FIELDS as LIST_FIELDS
from adapters.mail.belonging import list_of
from adapters.mail.declining import is_own, own_key
from adapters.mail.header import Header
from adapters.mail.imap_wire import Argument, Declined, quoted
from adapters.mail.mailbox import Mailbox
from adapters.mail.message_ids import (
    KEY_HEADER,
    OWN_HEADER,
    all_of,
    can_be_sent,
    fingerprint,
    former_ids,
    id_of,
    key_in,
    own_id,
)
from adapters.mail.message_ids import again as named_again
from adapters.mail.subjects import answers, bare

_REMEMBERED: Final = 20_000
_LOOKED_UP: Final = 3
"""So many ancestors of a mail are looked for in the mailbox."""
_STEPS: Final = 8
_CONVERSATION_BYTES: Final = 22
"""Of a Thread-Index, those that all mails of a conversation share; each answer adds five."""
_CONVERSATION_LETTERS: Final = 29
_SAME_SUBJECT: Final = timedelta(days=14)
_MOST_CANDIDATES: Final = 30
_SHORTEST_SUBJECT: Final = 4
FIELDS: Final = (
    "Message-ID In-Reply-To References Subject From Sender Date Thread-Index "
    f"X-Original-Message-ID X-Google-Original-Message-ID {OWN_HEADER} {KEY_HEADER} "
    + " ".join(LIST_FIELDS)
)

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Thread:
    """`root` is the id of the mail that began it, `subject` what it is called there."""

    root: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a mail stands: its own `id`, the `thread`, and the mail it answers.

    `known`: the mail that it answers came through the list, too.
    """

    id: str
    thread: Thread
    reply_to: str | None = None
    known: bool = False

    @property
    def topic(self) -> str | None:
        """The conversation; None for the mail that began it."""
        return None if self.thread.root == self.id else self.thread.root


class _Memory(Generic[_Value]):
    """The latest of them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], _Value] = OrderedDict()

    def get(self, group: str, name: str) -> _Value | None:
        return self._kept.get((group, name))

    def put(self, group: str, name: str, value: _Value) -> None:
        self._kept[group, name] = value
        self._kept.move_to_end((group, name))
        if len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)


class Threads:
    """What is known of the conversations on all lists of one mailbox.

    Args:
        address: the bridge's own address.
        loosely: see `list_of`.
    """

    def __init__(self, address: str, *, loosely: bool) -> None:
        self._address = address
        self._domain = address.rpartition("@")[2]
        self._loosely = loosely
        self._threads: _Memory[Thread] = _Memory()
        self._names: _Memory[str] = _Memory()
        self._prints: _Memory[str] = _Memory()
        self._outlook: _Memory[Thread] = _Memory()
        self._subjects: _Memory[tuple[Thread, datetime]] = _Memory()

    def subject(self, group: str, message_id: str) -> str:
        """What the conversation is called that a mail belongs to; empty where that is unknown."""
        found = self._threads.get(group, message_id)
        return found.subject if found else ""

    def sent(self, group: str, message_id: str, thread: Thread) -> None:
        """Remember where a copy of the bridge's own stands."""
        self._threads.put(group, message_id, thread)

    async def place(
        self, mailbox: Mailbox, group: str, header: Header, arrived: datetime
    ) -> Standing:
        """Tell where a mail stands, and remember it.

        Raises:
            Lost: the mailbox can't be asked.
        """
        name = self._name(group, header)
        standing = await self._stand(mailbox, group, header, name, arrived)
        self._remember(group, header, standing, arrived)
        return standing

    # --- names

    def _name(self, group: str, header: Header) -> str:
        """What the mail is called here: own copies by their key, whatever became of it."""
        raw = id_of(header)
        if is_own(header, self._address):
            key = own_key(header, self._address)
            return own_id(key, self._domain) if key else raw
        print_ = fingerprint(header)
        taken = self._prints.get(group, raw)
        if taken is not None and taken != print_:
            return named_again(raw, header)
        self._prints.put(group, raw, print_)
        return raw

    def _known_as(self, group: str, message_id: str) -> str:
        return self._names.get(group, message_id) or message_id

    def _remember(self, group: str, header: Header, standing: Standing, arrived: datetime) -> None:
        thread = standing.thread
        self._threads.put(group, standing.id, thread)
        for other in {id_of(header), *former_ids(header)} - {standing.id}:
            self._names.put(group, other, standing.id)
        conversation = _conversation(header)
        if conversation:
            self._outlook.put(group, conversation, thread)
        subject = bare(header.words("Subject")).casefold()
        if len(subject) >= _SHORTEST_SUBJECT:
            self._subjects.put(group, subject, (thread, arrived))

    # --- where it stands

    async def _stand(
        self, mailbox: Mailbox, group: str, header: Header, name: str, arrived: datetime
    ) -> Standing:
        subject = header.words("Subject")
        ancestors = [each for each in _ancestors(header) if each != name]
        if ancestors:
            answered = next(iter(all_of(header.first("In-Reply-To"))), ancestors[-1])
            thread = await self._thread_of(mailbox, group, ancestors, _STEPS)
            reply_to = self._known_as(group, answered)
            is_own_word = bool(key_in(reply_to, self._domain))
            known = is_own_word or self._threads.get(group, reply_to) is not None
            found = thread or Thread(self._known_as(group, ancestors[0]), bare(subject))
            return Standing(name, found, reply_to, known)
        guessed = await self._guess(mailbox, group, header, arrived)
        return Standing(name, guessed or Thread(name, bare(subject)), known=guessed is not None)

    async def _thread_of(
        self, mailbox: Mailbox, group: str, ancestors: list[str], steps: int
    ) -> Thread | None:
        for each in reversed(ancestors):
            found = self._threads.get(group, self._known_as(group, each))
            if found is not None:
                return found
        for each in list(reversed(ancestors))[:_LOOKED_UP]:
            header = await self._look_up(mailbox, group, each)
            if header is None or not steps:
                continue
            name = self._name(group, header)
            above = [other for other in _ancestors(header) if other not in {name, each}]
            thread = await self._thread_of(mailbox, group, above, steps - 1) if above else None
            if thread is None:
                root = self._known_as(group, above[0]) if above else name
                thread = Thread(root, bare(header.words("Subject")))
            self._threads.put(group, name, thread)
            if name != each:
                self._names.put(group, each, name)
            return thread
        return None

    async def _look_up(self, mailbox: Mailbox, group: str, message_id: str) -> Header | None:
        """The header of a mail on this list, from the mailbox."""
        if not can_be_sent(message_id):
            return None
        try:
            uids = await mailbox.by_message_id(f"<{message_id}>")
            if not uids and (key := key_in(message_id, self._domain)):
                uids = await mailbox.search(b"HEADER", KEY_HEADER.encode(), quoted(key))
        except Declined:
            return None
        for envelope in await mailbox.envelopes(uids[:_MOST_CANDIDATES], fields=FIELDS):
            header = Header(envelope.header)
            if self._is_of(group, header):
                return header
        return None

    def _is_of(self, group: str, header: Header) -> bool:
        loosely = self._loosely or is_own(header, self._address)
        return list_of(header, {group}, loosely=loosely) == group

    # --- without ancestors

    async def _guess(
        self, mailbox: Mailbox, group: str, header: Header, arrived: datetime
    ) -> Thread | None:
        conversation = _conversation(header)
        if conversation and _is_later_in_conversation(header):
            known = self._outlook.get(group, conversation)
            found = known or await self._first_of(
                mailbox, group, [b"HEADER", b"Thread-Index", quoted(conversation)]
            )
            if found is not None:
                return found
        subject = bare(header.words("Subject"))
        if not answers(header.words("Subject")) or len(subject) < _SHORTEST_SUBJECT:
            return None
        kept = self._subjects.get(group, subject.casefold())
        if kept is not None and abs(arrived - kept[1]) <= _SAME_SUBJECT:
            return kept[0]
        if not subject.isascii():
            return None  # few servers find other letters in encoded words
        since = arrived - _SAME_SUBJECT
        return await self._first_of(
            mailbox,
            group,
            [b"SUBJECT", quoted(subject), b"SINCE", since.strftime("%d-%b-%Y").encode()],
            subject=subject.casefold(),
            before=arrived,
        )

    async def _first_of(
        self,
        mailbox: Mailbox,
        group: str,
        criteria: list[Argument],
        *,
        subject: str = "",
        before: datetime | None = None,
    ) -> Thread | None:
        """The conversation of the oldest mail on this list that matches."""
        try:
            uids = await mailbox.search(*criteria)
        except Declined:
            return None
        for envelope in await mailbox.envelopes(uids[:_MOST_CANDIDATES], fields=FIELDS):
            header = Header(envelope.header)
            if before is not None and envelope.arrived >= before:
                continue
            if subject and bare(header.words("Subject")).casefold() != subject:
                continue
            if self._is_of(group, header):
                name = self._name(group, header)
                above = _ancestors(header)
                known = await self._thread_of(mailbox, group, above, 1) if above else None
                return known or Thread(name, bare(header.words("Subject")))
        return None


def _ancestors(header: Header) -> list[str]:
    """The ids of the mails before it, the oldest first, as far as it names them."""
    references = all_of(" ".join(header.all("References")))
    answered = all_of(header.first("In-Reply-To"))
    return references + [each for each in answered[:1] if each not in references]


def _conversation(header: Header) -> str:
    """What Outlook calls the conversation, empty where it does not say (MS-OXOMSG 2.2.1.3)."""
    raw = "".join(header.first("Thread-Index").split())
    return raw[:_CONVERSATION_LETTERS] if len(_index(raw)) >= _CONVERSATION_BYTES else ""


def _is_later_in_conversation(header: Header) -> bool:
    return len(_index("".join(header.first("Thread-Index").split()))) > _CONVERSATION_BYTES


def _index(raw: str) -> bytes:
    try:
        return base64.b64decode(raw.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return b""
