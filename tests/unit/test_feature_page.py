"""The page of features says what the adapters declare."""

from pathlib import Path

from bridge.contract import Feature
from bridge.feature_page import declared, page

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_adapters_declare() -> None:
    text = (ROOT / "docs" / "features.md").read_text()
    assert text == page(declared()), (
        "write it anew: python -m bridge.feature_page > docs/features.md"
    )


def test_every_feature_has_a_row() -> None:
    rows = page(declared()).splitlines()
    for feature in Feature:
        assert any(row.startswith(f"| {feature.value} |") for row in rows)
