"""Tries the database: can it be opened, and are its tables what this version needs?"""

import os
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.engine import make_url

from bridge.config.load import LoadedConfig
from bridge.contract import Finding
from bridge.errors import StoreError
from bridge.store.database import open_database
from bridge.store.migrate import knows, revisions


async def database(loaded: LoadedConfig) -> Sequence[Finding]:
    """Open the database and compare its tables with what this version needs.

    A missing SQLite file is not made: the first start does that.

    Raises:
        StoreError: it can't be opened or read.
    """
    settings = loaded.config.database
    url = make_url(settings.url)
    file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
    shown = str(file or url.render_as_string(hide_password=True))
    if file is not None and not file.exists():
        _may_be_made(file)
        return [_well(f"{shown} will be made at the first start.")]
    password = settings.password.get_secret_value() if settings.password else None
    async with open_database(settings.url, password) as opened:
        found, needed = await opened.run(revisions)
    if found is None:
        return [_well(f"{shown} is empty; its tables are made at the first start.")]
    if not knows(found):
        raise StoreError(
            f"{shown} was written by a newer version of Consilium.",
            "Run that version, or restore the backup made before the upgrade.",
        )
    if found != needed:
        return [_well(f"{shown} can be used; its tables are brought up to date at the next start.")]
    return [_well(f"{shown} can be used, and its tables are up to date.")]


def _well(sentence: str) -> Finding:
    return Finding(ok=True, subject="database", sentence=sentence)


def _may_be_made(file: Path) -> None:
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise StoreError(
            f"The database {file} can't be made: its folder is missing or can't be written.",
            "Make the folder, owned by the bridge's user, or change database.url.",
        )
