"""What the messages of one room are called: by the bridge, and by others who refer to them.

Three kinds of names go round. The room's own (XEP-0359) nobody can forge: reactions, replies and
deletions use it. The sender's is theirs alone, and so goes with the sender's: edits use it. And in
a room that gives no names, all that others can refer to is the sender's, which anyone could repeat:
that is good enough to answer or to like, and never to change anything.
"""

from collections import OrderedDict
from collections.abc import Collection
from typing import Final
from uuid import uuid4

from adapters.xmpp.identity import NO_ID, colleague_id
from adapters.xmpp.incoming import Said
from adapters.xmpp.people import People
from bridge.contract import Copy

_ANYONES: Final = "*/"
_WITNESSED: Final = 500


class Naming:
    """Names in one room.

    Args:
        people: who is in it.
    """

    def __init__(self, people: People) -> None:
        self.trusts_stanza_ids = False
        """Whether the room announces XEP-0359: only then can nobody forge the ids."""
        self._people = people
        self._witnessed: OrderedDict[tuple[int, str], str] = OrderedDict()

    def name(self, said: Said, stanza_id: str | None) -> str:
        """The id of something said; `stanza_id` is the room's, where that is to be believed."""
        if stanza_id:
            return stanza_id
        return f"{self.sender(said)}/{said.id or said.origin_id or uuid4().hex}"

    def sender(self, said: Said) -> str:
        """Who sent it, called the same whether they are still in the room or not."""
        trusted = said.occupant_id if self._people.trusts_occupant_ids else None
        return colleague_id(said.nick, trusted, None)

    def aliases(self, said: Said, name: str) -> tuple[str, ...]:
        """What else events may call it. Where nothing proves who said it, note who is there under
        this nick: that may be all there is to tell, later, whose it is.
        """
        given, proof = given_names(said), self._people.proof(said)
        if proof is None:
            self._witness(said, given, name)
        scoped = () if proof is None else tuple(f"{proof}/{each}" for each in given)
        if not self.trusts_stanza_ids:
            scoped += tuple(_ANYONES + each for each in given)
        return scoped if name not in scoped else tuple(each for each in scoped if each != name)

    def aliases_of_own(self, key: str) -> tuple[str, ...]:
        """What else events may call a copy that was sent with this key."""
        return () if self.trusts_stanza_ids else (_ANYONES + key,)

    def meant(self, reference: str) -> str:
        """What a reaction, a reply or a deletion refers to."""
        return reference if self.trusts_stanza_ids else _ANYONES + reference

    # --- who may change what

    def _witness(self, said: Said, given: Collection[str], name: str) -> None:
        stay = self._people.stay(said)
        if stay is not None:
            for each in given:
                self._witnessed[stay, each] = name
            while len(self._witnessed) > _WITNESSED:
                self._witnessed.popitem(last=False)

    def changed(self, said: Said, reference: str) -> str | None:
        """The message of the same sender that an edit refers to, or a deletion by the sender's
        name; None where it can't be told that it is the same sender.
        """
        proof = self._people.proof(said)
        if proof is not None:
            return f"{proof}/{reference}"
        stay = self._people.stay(said)
        return None if stay is None else self._witnessed.get((stay, reference))

    def deleted(self, said: Said, reference: str) -> str | None:
        """The message that a deletion by its author refers to; None as for `changed`."""
        if self._people.proof(said) is not None:
            return self.meant(reference)
        stay = self._people.stay(said)
        if stay is None:
            return None
        names = [name for (of, _), name in self._witnessed.items() if of == stay]
        if reference in names:
            return reference
        return self._witnessed.get((stay, reference))

    # --- for what is sent

    def reference(self, copy: Copy) -> str:
        """How a stanza refers to a message: the reverse of `name` and `meant`."""
        if self.trusts_stanza_ids or copy.own:
            return self.reference_of(copy.id)
        for sender in (copy.author.id, NO_ID + copy.author.name):
            if copy.id.startswith(f"{sender}/"):
                return copy.id.removeprefix(f"{sender}/")
        return self.reference_of(copy.id)

    def reference_of(self, name: str) -> str:
        """The same, where nothing more than a name or alias is known."""
        if self.trusts_stanza_ids:
            return name
        if name.startswith(NO_ID):
            return name.rpartition("/")[2]
        return name.removeprefix(_ANYONES)


def given_names(said: Said) -> Collection[str]:
    """What its sender has called it."""
    id_, origin_id = said.id, said.origin_id
    if not id_ or not origin_id or id_ == origin_id:
        return (id_ or origin_id,) if id_ or origin_id else ()  # type: ignore[return-value]
    return (id_, origin_id)
