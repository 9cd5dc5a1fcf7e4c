"""Polls, as far as text can show them: the question, each vote, and the end.

https://spec.matrix.org/v1.19/client-server-api/#polls, and MSC3381 as clients still send it.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bridge.matrix.raw import JsonObject, object_at, text_at

STARTS: Final = frozenset({"m.poll.start", "org.matrix.msc3381.poll.start"})
RESPONSES: Final = frozenset({"m.poll.response", "org.matrix.msc3381.poll.response"})
ENDS: Final = frozenset({"m.poll.end", "org.matrix.msc3381.poll.end"})

_POLLS: Final = ("m.poll", "m.poll.start", "org.matrix.msc3381.poll.start")
_VOTES: Final = ("m.poll.response", "org.matrix.msc3381.poll.response")
_TEXTS: Final = ("m.text", "org.matrix.msc1767.text")
_DISCLOSED: Final = frozenset(
    {"m.disclosed", "m.poll.disclosed", "org.matrix.msc3381.poll.disclosed"}
)
_ANSWERS_MAX: Final = 20
_HELD: Final = 500


@dataclass(frozen=True, slots=True)
class _Poll:
    """Its answers by id; `open` if votes may be seen before the end."""

    answers: Mapping[str, str]
    open: bool


class Polls:
    """Puts polls into words. Remembers the latest, to name what is voted for: votes in older ones
    are told without that.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[str, _Poll] = OrderedDict()

    def started(self, event_id: str, content: JsonObject) -> str:
        """The question and its answers; empty if there is no question."""
        poll = next((object_at(content, key) for key in _POLLS if key in content), {})
        question = _text(object_at(poll, "question"))
        if not question:
            return _text(content)
        answers = _answers(poll)
        self._held[event_id] = _Poll(answers, poll.get("kind") in _DISCLOSED)
        if len(self._held) > _HELD:
            self._held.popitem(last=False)
        lines = [f"{number}. {text}" for number, text in enumerate(answers.values(), start=1)]
        return "\n".join([f"📊 {question}", *lines])

    def voted(self, poll_id: str, content: JsonObject) -> str:
        """What somebody does who votes."""
        votes = next((object_at(content, key) for key in _VOTES if key in content), content)
        chosen = next(
            (votes[key] for key in ("m.selections", "answers") if isinstance(votes.get(key), list)),
            object_at(content, "m.poll.response").get("answers", content.get("m.selections")),
        )
        poll = self._held.get(poll_id)
        if not isinstance(chosen, list) or poll is None or not poll.open:
            return "votes in the poll"
        names = [
            poll.answers[each] for each in chosen if isinstance(each, str) and each in poll.answers
        ]
        return (
            f"votes in the poll: {', '.join(names[:_ANSWERS_MAX])}"
            if names
            else "takes back the vote"
        )


def ended(content: JsonObject) -> str:
    """The words with which a poll ends."""
    return f"📊 {_text(content) or 'The poll has ended.'}"


def poll_of(content: JsonObject) -> str | None:
    """The id of the poll that a vote, or the end, is about."""
    relation = object_at(content, "m.relates_to")
    if relation.get("rel_type") != "m.reference":
        return None
    return text_at(relation, "event_id") or None


def _answers(poll: JsonObject) -> Mapping[str, str]:
    given = poll.get("answers")
    found: dict[str, str] = {}
    for answer in (given if isinstance(given, list) else ())[:_ANSWERS_MAX]:
        if isinstance(answer, dict):
            ident = text_at(answer, "m.id") or text_at(answer, "id")
            found[ident] = _text(answer) or "…"
    return found


def _text(content: JsonObject) -> str:
    """Extensible text: a list of forms in the specification, a string in MSC3381; else a body."""
    for key in _TEXTS:
        match content.get(key):
            case str(text) if text.strip():
                return text.strip()
            case [*forms]:
                for form in forms:
                    if (
                        isinstance(form, dict)
                        and form.get("mimetype", "text/plain") == "text/plain"
                    ) and (text := text_at(form, "body").strip()):
                        return text
    return text_at(content, "body").strip()
