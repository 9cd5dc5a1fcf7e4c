"""What something said in a room means: a message, or a change of one."""

from collections.abc import Iterator
from datetime import datetime

from adapters.xmpp import (
    attachments,
    edits,
    location,
    mentions,
    reactions,
    replies,
    retractions,
    xhtml,
)
from adapters.xmpp.fallback import cut
from adapters.xmpp.incoming import Part, Said
from adapters.xmpp.scene import Scene
from adapters.xmpp.threads import Threads
from adapters.xmpp.xml import OOB, REPLY, SFS
from bridge.model import Author, Deleted, Edited, Event, Mention, Message, Reactions

_ME = "/me "
_CHANGED = "\N{PENCIL} "
"""Before the new words of a message of which it can't be told whose it was."""


class Meaning:
    """Tells what colleagues say and do in one room.

    Args:
        scene: the room.
    """

    def __init__(self, scene: Scene) -> None:
        self._place = scene.place
        self._scene = scene
        self._crew = scene.crew
        self._people = scene.people
        self._naming = scene.naming
        self._threads = Threads()

    def of(self, said: Said, name: str, time: datetime) -> Event | None:
        """What it means; None where it is nothing that could be told.

        Args:
            said: what was said, by a colleague or by the room itself.
            name: what it is called here.
            time: when it was said.
        """
        if said.parts:
            retraction = retractions.read(said)
            if retraction is not None:
                return self._deleted(said, name, time, retraction)
            standing = reactions.read(said)
            if standing is not None and said.nick:
                target = self._naming.meant(standing.reference)
                return Reactions(
                    self._place, self._author(said), time, target, standing.emojis, name
                )
        return self._told(said, name, time) if said.nick else None

    def _told(self, said: Said, name: str, time: datetime) -> Event | None:
        reference = edits.changed(said) if said.parts else None
        if reference is None:
            return self._message(said, name, time)
        target = self._naming.changed(said, reference)
        if target is None:
            return self._message(said, name, time, _CHANGED)
        return self._edited(said, name, time, target)

    def moderator_is_own(self, said: Said) -> bool:
        """Whether the room tells of a deletion that the bridge has asked for."""
        retraction = None if said.nick else retractions.read(said)
        return retraction is not None and (
            retraction.by == self._crew.listener.nick
            or (retraction.occupant_id is not None and retraction.occupant_id in self._crew.ids)
        )

    def _author(self, said: Said) -> Author:
        return self._people.author(said.nick, said.occupant_id, said.real_jid)

    def _message(self, said: Said, name: str, time: datetime, mark: str = "") -> Message | None:
        naming, author = self._naming, self._author(said)
        files = attachments.read(said) if said.parts else ()
        body, quotation_cut = self._words(said, has_files=bool(files))
        if files:
            body = attachments.without_links(body, files)
        text = body.removeprefix(_ME)
        emote = text != body
        if not (text or files or emote):
            return None
        aliases = naming.aliases(said, name)
        topic, further = self._threads.heard(said.thread, author.id)
        if further is not None:
            aliases += (further,)
        answered = replies.answered(said) if said.parts else None
        return Message(
            self._place, name, author, time, mark + text, emote,
            html=self._html(said, text, files_cut=bool(files), emote=emote or bool(mark),
                            quotation_cut=quotation_cut),
            mentions=self._mentions(said, text), attachments=files,
            reply_to=None if answered is None else naming.meant(answered),
            topic=topic, aliases=aliases, old=said.old, unformatted=_is_unstyled(said),
        )  # fmt: skip

    def _edited(self, said: Said, name: str, time: datetime, target: str) -> Edited:
        text, quotation_cut = self._words(said, has_files=False)
        html = self._html(said, text, files_cut=False, emote=text.startswith(_ME),
                          quotation_cut=quotation_cut)  # fmt: skip
        return Edited(
            self._place, self._author(said), time, target, text.removeprefix(_ME), html,
            self._mentions(said, text), name, self._naming.aliases(said, name),
            emote=text.startswith(_ME), unformatted=_is_unstyled(said), old=said.old,
        )  # fmt: skip

    def _deleted(
        self, said: Said, name: str, time: datetime, retraction: retractions.Retraction
    ) -> Event | None:
        if retraction.moderated:
            by = self._people.author(retraction.by or "", retraction.occupant_id, None)
            return Deleted(
                self._place, by, time, self._naming.meant(retraction.reference),
                retraction.reason, moderated=True, id=name,
            )  # fmt: skip
        target = self._naming.deleted(said, retraction.reference)
        if target is None:
            return self._message(said, name, time)
        return Deleted(self._place, self._author(said), time, target, id=name)

    def _words(self, said: Said, *, has_files: bool) -> tuple[str, bool]:
        """The words that are the sender's own, and whether a quotation was cut from them."""
        if not said.parts:
            return said.body or "", False
        understood: set[str] = set()
        if said.part(Part.REPLY) is not None:
            understood.add(REPLY)
        if has_files:
            understood |= {SFS, OOB}
        body, is_cut = cut(said, understood)
        geoloc = said.part(Part.GEOLOC)
        if geoloc is not None and (not body or body.startswith("geo:")):
            body = location.words(geoloc) or body
        return body, is_cut and REPLY in understood

    def _html(
        self, said: Said, text: str, *, files_cut: bool, emote: bool, quotation_cut: bool
    ) -> str | None:
        if not said.parts or files_cut or emote or not text:
            return None
        return xhtml.read(said, quotation_cut=quotation_cut)

    def _mentions(self, said: Said, text: str) -> tuple[Mention, ...]:
        if not said.parts and not mentions.may_call(text):
            return ()
        return mentions.read(said, self._place.id, text, self._scene.who, self._nicks())

    def _nicks(self) -> Iterator[str]:
        yield from self._people.nicks()
        yield from self._crew.nicks


def _is_unstyled(said: Said) -> bool:
    """Whether its sender says that nothing in it is styled (XEP-0393, section 7)."""
    return bool(said.parts) and said.part(Part.UNSTYLED) is not None
