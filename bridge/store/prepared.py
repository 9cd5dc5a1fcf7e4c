"""Statements of the hot path, turned into SQL once for each dialect.

SQLAlchemy looks a statement up in its cache and processes each parameter at every execution; for a
handful of small inserts per message that costs several times what the database itself does. What
goes in and out here are plain integers, texts and bytes, which every driver takes as they are.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler

Value = int | str | bytes | None


class Prepared:
    """One statement with bound parameters, given by position.

    Args:
        statement: any SQLAlchemy statement; its parameters are named.
        parameters: the order in which their values are given.
    """

    def __init__(self, statement: Executable, parameters: Sequence[str]) -> None:
        self._statement = statement
        self._parameters = list(parameters)
        self._compiled: dict[str, tuple[str, tuple[int, ...] | None]] = {}

    @classmethod
    def insert(cls, table: Table, *columns: str) -> "Prepared":
        """An insert of these columns."""
        return cls(table.insert(), columns)

    def run(self, connection: Connection, rows: Sequence[tuple[Value, ...]]) -> None:
        """Execute it once for each row of values."""
        if not rows:
            return
        sql, order = self._for(connection.dialect)
        if order is not None:
            rows = [tuple(row[index] for index in order) for row in rows]
        connection.exec_driver_sql(sql, list(rows) if len(rows) > 1 else rows[0])

    def scalars(self, connection: Connection, row: tuple[Value, ...]) -> Sequence[Any]:
        """Execute it, and return the first column of what comes back."""
        sql, order = self._for(connection.dialect)
        if order is not None:
            row = tuple(row[index] for index in order)
        return connection.exec_driver_sql(sql, row).scalars().all()

    def _for(self, dialect: Dialect) -> tuple[str, tuple[int, ...] | None]:
        """The SQL, and where its parameters stand in a row; None when just in that order."""
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = self._compile(dialect)
        return found

    def _compile(self, dialect: Dialect) -> tuple[str, tuple[int, ...] | None]:
        compiled = self._statement.compile(  # type: ignore[attr-defined]
            dialect=dialect, column_keys=self._parameters
        )
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - for the type checker
        names = compiled.positiontup or []
        order = tuple(self._parameters.index(name) for name in names)
        straight = order == tuple(range(len(self._parameters)))
        return compiled.string, None if straight else order
