"""A network for tests, which writes what is sent to it into files: see `plugins/paper_network.py`.

It is no part of the bridge, but a package of its own, found like those that others ship.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

_PLUGINS: Final = Path(__file__).with_name("plugins")
_PATH: Final = "PYTHONPATH"

NETWORK: Final = "paper"


@contextmanager
def installed() -> Iterator[None]:
    """Let every process that is started meanwhile find the adapter."""
    before = os.environ.get(_PATH)
    os.environ[_PATH] = os.pathsep.join([str(_PLUGINS), *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PATH]
        else:
            os.environ[_PATH] = before


def network(directory: Path, poison: str = "") -> dict[str, Any]:
    """Its section of the bridge's configuration; a text with `poison` in it makes it raise."""
    return {"type": "paper", "name": "Paper", "directory": str(directory), "poison": poison}


def written(directory: Path, group: str) -> list[str]:
    """The texts that were written for a group, in order."""
    file = directory / f"{group}.txt"
    if not file.exists():
        return []
    return [line.partition("\t")[2] for line in file.read_text(encoding="utf-8").splitlines()]
