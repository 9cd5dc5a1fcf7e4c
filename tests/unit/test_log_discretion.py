"""The log tells what happens; it never tells secrets, nor what people wrote."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from bridge.config.schema import Log, LogFormat, LogLevel
from bridge.operations.logs import configure_logging

WORDS = "the patient has a fever"
FORMATS = pytest.mark.parametrize("form", list(LogFormat))


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.setLevel(level)
    root.handlers[:] = handlers
    for name in ("slixmpp", "slixmpp.xmlstream.xmlstream", "nio.client", "sqlalchemy.engine"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def log_to(form: LogFormat, level: LogLevel, *secrets: str) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(Log(level=level, format=form), map(SecretStr, secrets), stream)
    return stream


def test_a_line_for_machines_is_json_with_its_fields() -> None:
    stream = log_to(LogFormat.JSON, LogLevel.INFO)

    structlog.get_logger().info("delivered", place="hospital-b:board", attempts=2)

    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "delivered",
        "level": "info",
        "place": "hospital-b:board",
        "attempts": 2,
    }


def test_a_line_for_people_has_no_colours_where_nobody_sees_them() -> None:
    stream = log_to(LogFormat.CONSOLE, LogLevel.INFO)

    structlog.get_logger().info("delivered", attempts=2)

    assert "delivered" in stream.getvalue()
    assert "attempts=2" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_lighter_lines_than_wanted_are_not_written() -> None:
    stream = log_to(LogFormat.JSON, LogLevel.WARNING)

    structlog.get_logger().info("delivered")
    structlog.get_logger().warning("late")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["late"]


@FORMATS
@pytest.mark.parametrize(
    "fields",
    [
        {"as_token": "hunter2-a"}, {"Authorization": "hunter2-a"}, {"db_password": "hunter2-a"},
        {"secret": "hunter2-a"}, {"body": "hunter2-a"}, {"text": "hunter2-a"},
        {"stanza": "hunter2-a"}, {"error": "GET /sync?access_token=hunter2-a HTTP/1.1"},
        {"header": "Bearer hunter2-a"}, {"url": "postgresql://me:hunter2-a@host/db"},
        {"odd": SecretStr("hunter2-a")}, {"nested": {"deep": ["known-secret"]}},
        {"quoted": 'known"secret'},
    ],
)  # fmt: skip
def test_no_secret_is_written(form: LogFormat, fields: dict[str, object]) -> None:
    stream = log_to(form, LogLevel.DEBUG, "known-secret", 'known"secret')

    structlog.get_logger().info("tried", **fields)

    assert "tried" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
    assert not any(word in stream.getvalue() for word in ("known-secret", "known", "hunter"))


@FORMATS
def test_a_traceback_shows_neither_secrets_nor_local_variables(form: LogFormat) -> None:
    stream = log_to(form, LogLevel.DEBUG, "known-secret")

    def fail(written: str) -> None:
        msg = "wrong token: known-secret"
        raise ValueError(msg)

    try:
        fail(WORDS)
    except ValueError:
        structlog.get_logger().exception("failed")

    assert "ValueError" in stream.getvalue()
    assert "known-secret" not in stream.getvalue()
    assert WORDS not in stream.getvalue()


@FORMATS
def test_a_failed_statement_does_not_show_its_values(form: LogFormat) -> None:
    stream = log_to(form, LogLevel.DEBUG)

    with create_engine("sqlite://").connect() as connection:
        try:
            connection.execute(text("INSERT INTO nowhere VALUES (:written)"), {"written": WORDS})
        except DBAPIError:
            structlog.get_logger().exception("failed")

    assert "no such table" in stream.getvalue()
    assert WORDS not in stream.getvalue()


@FORMATS
@pytest.mark.parametrize("level", list(LogLevel))
@pytest.mark.parametrize(
    "library",
    ["slixmpp", "slixmpp.xmlstream.xmlstream", "nio.client", "aiosqlite",
     "sqlalchemy.engine.Engine", "aiohttp.access", "asyncio", "alembic.runtime"],
)  # fmt: skip
def test_libraries_are_never_heard_below_info(
    form: LogFormat, level: LogLevel, library: str
) -> None:
    stream = log_to(form, level)
    logging.getLogger(library).setLevel(logging.DEBUG)  # as a library may do by itself

    logging.getLogger(library).debug("SEND: <body>%s</body>", WORDS)

    assert stream.getvalue() == ""


@pytest.mark.parametrize("library", ["sqlalchemy.engine.Engine", "aiohttp.access"])
def test_libraries_that_tell_too_much_are_heard_from_warning_on(library: str) -> None:
    stream = log_to(LogFormat.JSON, LogLevel.DEBUG)

    logging.getLogger(library).info("[%s]", WORDS)
    logging.getLogger(library).warning("slow")

    assert "slow" in stream.getvalue()
    assert WORDS not in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        (LogLevel.DEBUG, ["info", "warning", "error"]),
        (LogLevel.INFO, ["warning", "error"]),
        (LogLevel.ERROR, ["error"]),
    ],
)
def test_libraries_are_heard_from_warning_on_unless_debugging(
    level: LogLevel, heard: list[str]
) -> None:
    stream = log_to(LogFormat.JSON, level)
    library = logging.getLogger("aiohttp.client")

    for weight in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        library.log(weight, "it happened")

    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == heard


@FORMATS
@pytest.mark.parametrize(
    ("library", "template", "arguments"),
    [
        ("slixmpp.xmlstream.xmlstream", "Parse error: %r", (f"<body>{WORDS}".encode(),)),
        ("slixmpp.xmlstream.stanzabase", "Tried to send stanza without a stream: %s", (WORDS,)),
        ("slixmpp.basexmpp", "Couldn't handle presence: %s", (WORDS,)),
        ("nio.responses", f"Error validating response: '{WORDS}' is not of type 'object'", ()),
        ("nio.events.misc", f"Error validating event: {WORDS}", ()),
    ],
)
def test_libraries_that_quote_people_are_cut_short(
    form: LogFormat, library: str, template: str, arguments: tuple[object, ...]
) -> None:
    stream = log_to(form, LogLevel.DEBUG)

    logging.getLogger(library).error(template, *arguments, exc_info=ValueError(WORDS))

    assert template.partition(":")[0] in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert WORDS not in stream.getvalue()


def test_the_real_stream_of_an_xmpp_client_is_not_written() -> None:
    slixmpp = pytest.importorskip("slixmpp")
    stream = log_to(LogFormat.CONSOLE, LogLevel.DEBUG, "pass-word-1")
    message = slixmpp.ClientXMPP("a@b.example", "pass-word-1").make_message("c@d.example", WORDS)

    message.stream = None
    message.send()

    assert "without a stream" in stream.getvalue()
    assert WORDS not in stream.getvalue()


def test_configuring_anew_does_not_double_the_lines() -> None:
    log_to(LogFormat.JSON, LogLevel.DEBUG)
    stream = log_to(LogFormat.JSON, LogLevel.DEBUG)

    logging.getLogger("aiohttp.client").warning("once")

    assert stream.getvalue().count("once") == 1
