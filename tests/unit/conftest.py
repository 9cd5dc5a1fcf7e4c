"""What several unit tests need."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge import discovery

PLUGINS = Path(__file__).parent / "plugins"


@pytest.fixture
def parrot(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The parrot's package is installed: networks of type `parrot` can be configured."""
    monkeypatch.syspath_prepend(str(PLUGINS))
    discovery.forget()
    yield
    discovery.forget()


@pytest.fixture
def config_file(tmp_path: Path, parrot: None) -> Callable[[str], Path]:
    """Writes a configuration file and tells where it is."""

    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
