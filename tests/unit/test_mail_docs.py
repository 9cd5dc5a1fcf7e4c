"""docs/networks/mail.md tells every key of a mail network, with its default."""

import re
from enum import Enum
from pathlib import Path

import pytest

from adapters.mail.settings import MailSettings

PAGE = Path(__file__).parents[2] / "docs" / "networks" / "mail.md"
ROWS = dict(
    re.findall(r"^\| `networks\.<id>\.(\w+)` \| (.+?) \| .+ \|$", PAGE.read_text(), re.MULTILINE)
)


def test_the_page_has_every_key_and_no_other() -> None:
    assert set(ROWS) == set(MailSettings.model_fields)


@pytest.mark.parametrize("key", MailSettings.model_fields)
def test_the_page_tells_the_default_of(key: str) -> None:
    field = MailSettings.model_fields[key]
    default = None if field.is_required() else field.default
    shown = default.value if isinstance(default, Enum) else default
    if shown is None:
        assert ROWS[key] == "none"
    else:
        assert ROWS[key] == f"`{str(shown).lower() if isinstance(shown, bool) else shown}`"


@pytest.mark.parametrize("key", MailSettings.model_fields)
def test_every_key_describes_itself(key: str) -> None:
    assert MailSettings.model_fields[key].description


def test_every_anchor_leads_somewhere() -> None:
    text = PAGE.read_text()
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= headings
