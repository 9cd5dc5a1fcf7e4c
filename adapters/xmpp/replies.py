"""Answers to a message (XEP-0461), with a quotation for clients that do not know them."""

from dataclasses import dataclass
from typing import Final

from adapters.xmpp import fallback
from adapters.xmpp.incoming import Part, Said
from adapters.xmpp.xml import REPLY, attribute, clean

_QUOTED_LINES: Final = 3
QUOTED: Final = 200
"""Characters."""


def answered(said: Said) -> str | None:
    """The id of what is answered, as the stanza has it."""
    reply = said.part(Part.REPLY)
    return None if reply is None else reply.get("id") or None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: its id as stanzas have it, who said it there, and what."""

    reference: str
    to: str
    nick: str
    text: str

    def quotation(self, *, most: int = QUOTED) -> str:
        """Its words, shortened, as lines that begin with ">" (XEP-0393). Its own quotations are
        left out, so that they do not pile up.
        """
        lines = [line for line in self.text.split("\n") if line.strip() and line[0] != ">"]
        short = "\n".join(lines[:_QUOTED_LINES])[:most].rstrip()
        if short != "\n".join(lines):
            short += "…"
        return "".join(f"> {line}\n" for line in clean(f"{self.nick}: {short}").split("\n"))

    def element(self) -> str:
        """What tells clients."""
        to, id_ = attribute(self.to), attribute(self.reference)
        return f"<reply xmlns='{REPLY}' to='{to}' id='{id_}'/>"


def with_quotation(answer: Answer, body: str, *, most: int = QUOTED) -> tuple[str, str]:
    """The body with the quotation before it, and the elements that tell of both."""
    quotation = answer.quotation(most=most)
    return quotation + body, answer.element() + fallback.mark(REPLY, (0, len(quotation)))
