"""The page about commands, made from their manuals.

To write it anew: `python -m bridge.bot.page > docs/commands.md`.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping

from bridge.bot.command import Manual
from bridge.bot.commands.help import WHO
from bridge.bot.registry import MANUALS

_PREFIX = "!"

_BEFORE = """\
# Commands

The bot listens in every room that is linked to a group, and in a private chat: in Element, start a
direct chat with it. It answers below the command, in the same thread. Neither commands nor answers
are passed on to other networks.

You can give twenty commands at once, and then twenty a minute; the bot says so when it is too much.
"""

_AFTER = """\
## Who may give them

- Users of the homeserver's own domain, unless the configuration says otherwise: see
  [permissions](configuration.md#permissions).
- A moderator of a room may give the commands of moderators there: whoever has a power level of at
  least 50, and of what it takes to change the room's settings.
- Colleagues on other networks, and bots, may not.

## What is taken for a command

In a private chat: everything, with or without `!`. In a linked room, only this:

- a known command in a message of one line: `!status`
- a slip of the pen, in a message of at most four words: `!statsu`. The bot asks whether you meant
  `!status`, and tells you that it did not pass your message on.
- what follows the bot's name and `!`: `!consilium status`
- a command addressed to the bot by name, `Consilium: status`, or by mentioning it

Everything else is for your colleagues and goes to them: `!!`, `!important`, "Consilium: what do you
think?". So do messages of several lines. A command that is edited is not run again. The sign `!`
can be another: see [bot](configuration.md#bot).

## A new room

An admin can link any room without touching the configuration file: invite the bot to the room, then
write `!link <network> <group>` there. While only the two of you are in it, that is a private chat:
name the room then, as in `!link #ward:example.org <network> <group>`. The bot leaves a room that is
not linked once nobody else is in it.
"""


def page(manuals: Mapping[str, Manual]) -> str:
    """The page, in Markdown."""
    sections = [_BEFORE, "\n".join(_table(manuals.values()))]
    sections += ["\n".join(_section(manual)) for manual in manuals.values()]
    return "\n".join([*sections, _AFTER])


def _table(manuals: Iterable[Manual]) -> Iterator[str]:
    yield "| command | what it does | for |"
    yield "|---|---|---|"
    for manual in manuals:
        usage = manual.usage(_PREFIX).replace("|", "\\|")
        yield f"| `{usage}` | {manual.summary} | {WHO[manual.needs]} |"
    yield ""


def _section(manual: Manual) -> Iterator[str]:
    yield f"## {manual.name}"
    yield ""
    yield f"`{manual.usage(_PREFIX)}`: {manual.summary}. For {WHO[manual.needs]}."
    yield ""
    for detail in manual.details:
        yield f"- {detail}"
    if manual.details:
        yield ""


if __name__ == "__main__":
    sys.stdout.write(page(MANUALS))
