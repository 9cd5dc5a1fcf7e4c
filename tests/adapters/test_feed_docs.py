"""The pages about networks on the web have every key of their settings, and its default."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from adapters.web.feed.settings import FeedSettings
from adapters.web.hook.settings import HookSettings, WebhookSettings
from adapters.web.hook.template import _FILTERS

PAGE = Path(__file__).parents[2] / "docs" / "networks" / "web.md"


def keys(model: type[BaseModel], at: str = "networks.<id>.") -> dict[str, FieldInfo]:
    return {f"{at}{name}": field for name, field in model.model_fields.items()}


def default(field: FieldInfo) -> str:
    value: Any = None if field.is_required() else field.default
    if value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def documented(page: Path) -> dict[str, str]:
    rows = re.findall(r"^\| `(networks[^`]+)` \| (.+?) \| .+ \|$", page.read_text(), re.MULTILINE)
    return dict(rows)


KEYS = {
    **keys(FeedSettings),
    **keys(WebhookSettings),
    **keys(HookSettings, "networks.<id>.hooks.<id>."),
}
del KEYS["networks.<id>.hooks"]


def test_the_page_has_every_key_with_its_default_and_no_other() -> None:
    assert documented(PAGE) == {key: default(field) for key, field in KEYS.items()}


@pytest.mark.parametrize("field", KEYS.values(), ids=list(KEYS))
def test_every_key_has_a_description(field: FieldInfo) -> None:
    assert field.description
    assert get_args(field.annotation) or field.annotation


def test_the_page_names_every_filter_of_templates() -> None:
    text = PAGE.read_text()
    told = re.search(r"have a part of Jinja's filters: (.+?)\.\n\n", text, re.DOTALL)
    assert told is not None
    assert set(re.findall(r"`(\w+)`", told[1])) == _FILTERS - {"d"}
