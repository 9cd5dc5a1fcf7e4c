"""A real Mailman 3 core, on SQLite, behind a Postfix on loopback."""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

from sandbox.mail_enclosure import EnclosedProcess
from sandbox.ports import LOOPBACK, free_port
from sandbox.process import ProcessError

MAILMAN = Path(__file__).parent.parent / ".cache" / "mailman-venv" / "bin"

_PATIENCE = 5.0
_IDLE_RUNNERS = (
    "archive", "bad", "bounces", "command", "digest", "nntp", "rest", "retry", "shunt", "task",
)  # fmt: skip


class Mailman(EnclosedProcess):
    """List software in one directory. Its lists are made before it starts."""

    def __init__(self, directory: Path, *, smtp_port: int, programs: Path = MAILMAN) -> None:
        """Take the directory for lists whose mails go out by the SMTP server at this port."""
        if not (programs / "mailman").exists():
            raise ProcessError(f"Mailman is not installed at {programs}: run `make setup`")
        self.lmtp_port = free_port()
        self.smtp_port = smtp_port
        self._programs = programs
        self._home = directory.resolve()
        self._config_file = self._home / "mailman.cfg"
        super().__init__(
            "Mailman",
            [programs / "master", "-C", self._config_file],
            log=directory / "mailman.log",
            ready=self._greets,
            directory=self._home,
        )

    async def start(self) -> None:
        """Write the configuration and run Mailman until it takes mail."""
        self._write_config()
        await super().start()

    async def make_lists(
        self, lists: Mapping[str, Iterable[str]], settings: Mapping[str, Mapping[str, object]]
    ) -> None:
        """Make lists with these members, and set what is set otherwise."""
        self._write_config()
        script = self._home / "make_lists.py"
        members = {address: list(several) for address, several in lists.items()}
        script.write_text(_MAKE.format(lists=members, settings=dict(settings)))
        await self._administer("shell", "-r", "make_lists.make")

    async def _administer(self, *words: str) -> None:
        child = await asyncio.create_subprocess_exec(
            *(
                str(self._programs / "mailman"),
                "-C",
                str(self._config_file),
                "--run-as-root",
                *words,
            ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._home,
            env={"PYTHONPATH": str(self._home), "PATH": "/usr/bin:/bin"},
        )
        output, _ = await child.communicate()
        if child.returncode != 0:
            raise ProcessError(f"Mailman failed: {output.decode().strip()}")

    def _write_config(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        idle = "\n".join(f"[runner.{name}]\nstart: no" for name in _IDLE_RUNNERS)
        self._config_file.write_text(
            _CONFIG.format(
                home=self._home, address=LOOPBACK, lmtp=self.lmtp_port, smtp=self.smtp_port
            )
            + f"{idle}\n{_QUICK}\n"
        )

    async def _greets(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, self.lmtp_port)
        except ConnectionError:
            return False
        try:
            async with asyncio.timeout(_PATIENCE):
                return (await reader.readline()).startswith(b"220")
        except (ConnectionError, TimeoutError):
            return False
        finally:
            writer.close()


_CONFIG = """\
[mailman]
layout: here
site_owner: admin@hospital.test
[paths.here]
var_dir: {home}/var
[mta]
incoming: mailman.mta.null.NullMTA
lmtp_host: {address}
lmtp_port: {lmtp}
smtp_host: {address}
smtp_port: {smtp}
"""
_QUICK = "\n".join(
    f"[runner.{name}]\nsleep_time: 0.02s" for name in ("in", "out", "pipeline", "virgin", "lmtp")
)

_MAKE = """\
from mailman.interfaces.address import IEmailValidator
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.listmanager import IListManager
from mailman.interfaces.member import DeliveryMode, MemberRole
from mailman.interfaces.mailinglist import DMARCMitigateAction, ReplyToMunging
from mailman.interfaces.subscriptions import ISubscriptionManager
from mailman.interfaces.usermanager import IUserManager
from mailman.interfaces.action import Action
from mailman.app.lifecycle import create_list
from mailman.config import config
from zope.component import getUtility


def make():
    for address, members in {lists!r}.items():
        domain = address.partition("@")[2]
        if domain not in getUtility(IDomainManager):
            getUtility(IDomainManager).add(domain)
        mlist = create_list(address, style_name="legacy-default")
        mlist.max_message_size = 0
        mlist.send_welcome_message = False
        mlist.default_member_action = Action.defer
        mlist.default_nonmember_action = Action.defer
        mlist.archive_policy = mlist.archive_policy.__class__(0)
        for name, value in {settings!r}.get(address, {{}}).items():
            kind = type(getattr(mlist, name))
            setattr(mlist, name, kind[value] if hasattr(kind, "__members__") else value)
        users = getUtility(IUserManager)
        for member in members:
            user = users.get_user(member) or users.create_user(member)
            only = list(user.addresses)[0]
            if only.verified_on is None:
                from datetime import datetime
                only.verified_on = datetime(2026, 1, 1)
            mlist.subscribe(only, MemberRole.member)
    config.db.commit()
"""
