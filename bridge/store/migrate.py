"""Brings a database to the schema of this version, and tells which schema it has."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from bridge.errors import StoreError


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def upgrade(connection: Connection) -> None:
    """Apply every migration that is missing, in the transaction of `connection`.

    Raises:
        StoreError: the database was written by a newer version of the bridge.
    """
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            "The database was written by a newer version of Consilium.",
            "Run that version, or restore the backup made before the upgrade.",
        ) from error


def revisions(connection: Connection) -> tuple[str | None, str | None]:
    """The schema revision the database has (None when empty) and the one this version needs."""
    return (
        MigrationContext.configure(connection).get_current_revision(),
        ScriptDirectory.from_config(_config()).get_current_head(),
    )


def knows(revision: str) -> bool:
    """Whether this version has the schema revision; if not, a newer version wrote the database."""
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except CommandError:
        return False
