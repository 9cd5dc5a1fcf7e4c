"""Logging: key/value lines for people or machines, without secrets and without what people wrote.

The bridge's own modules log through `structlog.get_logger()`. What libraries log comes in through
the standard library's `logging` and is treated with suspicion: slixmpp logs whole stanzas, nio
whole events, aiosqlite and SQLAlchemy the values of statements.
"""

import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterable
from typing import TextIO, cast

import orjson
import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from bridge.config.schema import Log, LogFormat, LogLevel

HIDDEN = "***"

_KEY_OF_SECRET = re.compile(r"token|secret|passw|authorization|cookie", re.IGNORECASE)
_WRITTEN_KEYS = frozenset(
    {"text", "body", "html", "formatted_body", "content", "stanza", "xml", "subject"}
)
_SHAPES_OF_SECRETS = (
    r"(?<=Bearer )[^\s\"',]+"
    r"|(?<=access_token=)[^\s&\"',]+"
    r"|(?<=://)[^\s/@:\"']*:[^\s/@\"']+(?=@)"
)
_PARAMETERS = re.compile(r"\[parameters: .*")
_SHORTEST_SECRET = 6  # shorter ones would blot out innocent words

_LEVELS = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
_FLOORS = {"sqlalchemy": logging.WARNING, "aiohttp.access": logging.WARNING}
"""Libraries that tell too much even at INFO. All others are never heard below INFO."""
_QUOTING = frozenset({"slixmpp", "nio"})
"""Libraries that repeat what people wrote even in warnings and errors."""


class _StandardError(io.TextIOBase):
    """Standard error as it is when something is written, not as it was when logging began."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def configure_logging(
    log: Log, secrets: Iterable[SecretStr] = (), stream: TextIO | None = None
) -> None:
    """Send every log line to `stream` (default: standard error), from the wanted weight on.

    Args:
        log: weight and form of the lines.
        secrets: what must not be in any line, whatever has gone wrong; a last net.
        stream: where to write.
    """
    out = stream if stream is not None else cast("TextIO", _StandardError())
    level = _LEVELS[log.level]
    ending = [_renderer(log.format, out), _mask(secrets)]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *_describing(), *ending],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    _listen_to_libraries(level, ending, out)


def _describing() -> list[Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        withhold,
        structlog.processors.format_exc_info,
        _without_parameters,
    ]


def withhold(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide the values of keys that are named like secrets or like what people wrote."""
    for key in event:
        if key in _WRITTEN_KEYS or _KEY_OF_SECRET.search(key):
            event[key] = HIDDEN
    return event


def _without_parameters(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """SQLAlchemy's errors repeat the values of the statement, such as a message's text."""
    if "exception" in event:
        event["exception"] = _PARAMETERS.sub(f"[parameters: {HIDDEN}]", event["exception"])
    return event


def _renderer(form: LogFormat, out: TextIO) -> Processor:
    if form is LogFormat.JSON:
        return structlog.processors.JSONRenderer(serializer=_json)
    # The default formatter would print local variables
    return structlog.dev.ConsoleRenderer(
        colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def _json(event: EventDict, default: Callable[[object], object], **_: object) -> str:
    return orjson.dumps(event, default=default, option=orjson.OPT_NON_STR_KEYS).decode()


def _mask(secrets: Iterable[SecretStr]) -> Processor:
    values = {secret.get_secret_value() for secret in secrets}
    spellings = {spelling for value in values for spelling in (value, json.dumps(value)[1:-1])}
    known = sorted((s for s in spellings if len(s) >= _SHORTEST_SECRET), key=len, reverse=True)
    pattern = re.compile("|".join([*map(re.escape, known), _SHAPES_OF_SECRETS]))

    def mask(_logger: WrappedLogger, _method: str, line: object) -> str:
        return pattern.sub(HIDDEN, str(line))

    # structlog types every processor as one that takes a mapping; the last takes a line
    return mask


# --- libraries ----------------------------------------------------------------------------------


class _Libraries(logging.StreamHandler[TextIO]):
    """The bridge's handler on the root logger; known by its class when it is replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        # Here and not by the loggers' levels alone: a library may set those as it likes
        if record.levelno >= _floor(record.name):
            quoting = record.name.partition(".")[0] in _QUOTING
            super().emit(_unquoted(record) if quoting else record)


def _listen_to_libraries(level: int, ending: list[Processor], out: TextIO) -> None:
    handler = _Libraries(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_describing()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Libraries)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(level, logging.WARNING) if level != logging.DEBUG else logging.INFO)
    for name, floor in _FLOORS.items():
        logging.getLogger(name).setLevel(floor)
    logging.captureWarnings(capture=True)


def _floor(name: str) -> int:
    within = (floor for top, floor in _FLOORS.items() if f"{name}.".startswith(f"{top}."))
    return next(within, logging.INFO)


def _unquoted(record: logging.LogRecord) -> logging.LogRecord:
    """The record as its author wrote it in the source: without arguments, without what follows a
    colon (nio formats before it logs), and with the name of an exception in place of its text.
    """
    wanted = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    said = wanted.partition(":")[0].split("%", maxsplit=1)[0].strip()
    error = record.exc_info[0] if record.exc_info else None
    return logging.LogRecord(
        record.name, record.levelno, record.pathname, record.lineno,
        f"{said or 'something'} (details withheld{f', {error.__name__}' if error else ''})",
        None, None,
    )  # fmt: skip
