"""The page of features, made from what the Matrix side and the installed adapters declare.

To write it anew: `python -m bridge.feature_page > docs/features.md`.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Final

from bridge.contract import Capabilities, Declaring, Feature, Level
from bridge.discovery import find_adapter, known_types
from bridge.matrix.showing.abilities import abilities

_SIGNS: Final = {Level.FULL: "●", Level.PARTLY: "◐", Level.OTHERWISE: "↪", Level.REFUSED: "✗"}

_BEFORE: Final = """\
# Features

What crosses, from which network and to which. Made from what each adapter declares of itself, and
checked against it by a test; what is declared in full is shown by tests on real servers where there
are any. What a room's own networks can do, `!capabilities` tells in the room.

● in full   ◐ in part   ↪ shown in another way (an edit as a marked message, a reaction as a line, a
reply as a quotation, a file as a line with a link)   ✗ not at all

"To" is what is shown on that network of what happens elsewhere, "from" what is heard there.
"""


def page(declared: Mapping[str, Capabilities]) -> str:
    """The page.

    Args:
        declared: what each kind of network can do, by its name for people.
    """
    return "\n".join([_BEFORE, *_overview(declared), "", *_details(declared)]) + "\n"


def declared() -> Mapping[str, Capabilities]:
    """What Matrix and every installed adapter can do."""
    found = {"Matrix": abilities(None)}
    for kind in known_types():
        for way, can in _ways(find_adapter(kind)).items():
            found[f"{kind}, {way}" if way else kind] = can
    return found


def _ways(adapter: object) -> Mapping[str, Capabilities]:
    return adapter.declared() if isinstance(adapter, Declaring) else {}


def _overview(declared: Mapping[str, Capabilities]) -> Iterator[str]:
    heads = [f"{side} {name}" for name in declared for side in ("to", "from")]
    yield f"| | {' | '.join(heads)} |"
    yield "|---|" + ":-:|" * len(heads)
    for feature in Feature:
        signs = [
            sign
            for can in declared.values()
            for sign in (_SIGNS[can.showing(feature)], _SIGNS[can.hearing(feature)])
        ]
        yield f"| {feature.value} | {' | '.join(signs)} |"


def _details(declared: Mapping[str, Capabilities]) -> Iterator[str]:
    for name, can in declared.items():
        yield f"## {name}"
        yield ""
        names = "under names of their own" if can.own_names else "under the bridge's name"
        yield f"- Authors write {names}."
        yield f"- A text of more than {can.max_text:,} bytes is cut into several messages."
        for feature in Feature:
            if note := can.notes.get(feature):
                yield f"- {feature.value.capitalize()}: {note}."
        yield ""


if __name__ == "__main__":
    sys.stdout.write(page(declared()))
