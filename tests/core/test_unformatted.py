"""Texts that only look formatted where they come from or go to."""

import pytest
from core_stage import ANNA, NAMES, START, WARD_A, WARD_B, said

from bridge.contract import Capabilities, Copy, Dialect, Feature, Level
from bridge.flow.presentation import Stage, present
from bridge.flow.relations import Relations
from bridge.flow.texts import canonical
from bridge.model import Edited, Message

STYLED = Capabilities(
    own_names=True, max_text=60_000, dialect=Dialect.XMPP, shows={Feature.EDIT: Level.FULL}
)


@pytest.mark.parametrize("unformatted", [True, False])
def test_what_its_sender_calls_unformatted_is_stored_as_plain_text(unformatted: bool) -> None:
    text = "5 *mg* or\n> 6"
    message = Message(WARD_A, "m1", ANNA, START, text, unformatted=unformatted)
    stored = canonical(message, Dialect.XMPP)
    assert (stored.html is None) is unformatted
    assert not stored.unformatted


@pytest.mark.parametrize(("text", "looks"), [("5 *mg* or 6", True), ("5 * 6", False)])
def test_a_plain_text_that_would_be_taken_for_formatted_is_marked(text: str, looks: bool) -> None:
    stage = Stage(WARD_B, STYLED, NAMES)
    copy = Copy("c", ANNA, START, "before", "k")
    edited = Edited(WARD_A, ANNA, START, "m1", text)
    [message] = present(said(1, text=text), key="k", stage=stage)
    [edit] = present(edited, key="e", stage=stage, relations=Relations(targets=[copy]))
    for outgoing in (message, edit):
        assert isinstance(outgoing.event, Message | Edited)
        assert (outgoing.event.text, outgoing.event.unformatted) == (text, looks)
