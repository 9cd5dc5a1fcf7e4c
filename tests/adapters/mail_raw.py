"""Mails as bytes, as they would lie in the bridge's mailbox after some list has sent them on."""

import itertools
from datetime import UTC, datetime
from email.utils import format_datetime

_numbers = itertools.count(1)


def new_list() -> str:
    """The address of a list that no server knows: its mails are put into the mailbox."""
    return f"direct{next(_numbers)}@elsewhere.test"


def listed(
    group: str,
    body: str | bytes = "Hello.",
    subject: str = "A case",
    sender: str = "Cora <cora@clinic.test>",
    kind: str = "text/plain; charset=utf-8",
    **headers: str,
) -> bytes:
    """A mail that came through a list; `headers` are further fields, with `_` for a hyphen."""
    number = next(_numbers)
    fields = {
        "From": sender,
        "To": group,
        "Subject": subject,
        "Date": format_datetime(datetime.now(UTC)),
        "Message-ID": f"<raw-{number}@clinic.test>",
        "List-Id": f"Some list <{group.replace('@', '.')}>",
        "List-Post": f"<mailto:{group}>",
        "MIME-Version": "1.0",
        "Content-Type": kind,
        "Content-Transfer-Encoding": "8bit",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    data = body.encode() if isinstance(body, str) else body
    return lines.encode() + b"\r\n" + data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def parts(*several: tuple[str, str | bytes], boundary: str = "=_b") -> bytes:
    """The body of a multipart mail: each part as its header lines and its content."""
    pieces = []
    for header, content in several:
        data = content.encode() if isinstance(content, str) else content
        pieces.append(f"--{boundary}\r\n{header}\r\n\r\n".encode() + data + b"\r\n")
    return b"".join(pieces) + f"--{boundary}--\r\n".encode()
