"""A real PostgreSQL, a private cluster in one directory, on loopback."""

import asyncio
import os
import pwd
import shutil
import signal
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]

from sandbox.ports import LOOPBACK, free_port
from sandbox.process import Process, ProcessError

_DEBIAN = Path("/usr/lib/postgresql")  # one folder per version, none of them in PATH
_UNPRIVILEGED = "postgres"  # PostgreSQL refuses to run as root; Debian's package makes this user
_PATIENCE = 5.0


class Postgres(Process):
    """One cluster with one superuser, which logs in with a password.

    Nothing is synced to the disk: it forgets what a power cut, but not what a SIGKILL, interrupts.
    When root runs it, it becomes the user `postgres`, who is then given the directory and has to
    be able to reach it.
    """

    user = "consilium"
    password = "sandbox"  # noqa: S105 -- guards nothing beyond loopback

    def __init__(self, directory: Path) -> None:
        """Take the directory for a cluster."""
        programs = _programs()
        self.port = free_port()
        self._home = directory.resolve()
        self._data = self._home / "data"
        self._initdb = programs / "initdb"
        super().__init__(
            "PostgreSQL",
            [*_as_unprivileged(), programs / "postgres", "-D", self._data],
            log=directory / "postgres.log",
            ready=self._lets_in,
        )

    def url(self, database: str = "postgres") -> str:
        """Where a database is, with user and password."""
        return f"postgresql://{self.user}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    async def start(self) -> None:
        """Make the cluster if it is not there yet, and run it until it answers."""
        if not self._data.exists():
            await self._make()
        await super().start()

    async def stop(self, grace: float = 10.0) -> int:
        """End it; its clients are cut off, where a mere SIGTERM would wait for them."""
        os.kill(self.pid, signal.SIGINT)
        return await super().stop(grace)

    async def execute(self, statement: str) -> None:
        """Run one statement as superuser, outside of any transaction."""
        connection = await asyncpg.connect(self.url(), timeout=_PATIENCE)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _make(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        password_file = self._home / "password"
        password_file.write_text(self.password)
        if os.geteuid() == 0:
            for path in (self._home, password_file):
                shutil.chown(path, _UNPRIVILEGED)
        child = await asyncio.create_subprocess_exec(
            *(*_as_unprivileged(), str(self._initdb), "-D", str(self._data)),
            *("--username", self.user, "--pwfile", str(password_file)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd="/",
        )
        output, _ = await child.communicate()
        if child.returncode != 0:
            raise ProcessError(f"PostgreSQL's initdb failed: {output.decode().strip()}")
        with (self._data / "postgresql.conf").open("a") as config:
            config.write(_CONFIG.format(address=LOOPBACK, port=self.port))

    async def _lets_in(self) -> bool:
        try:
            connection = await asyncpg.connect(self.url(), timeout=_PATIENCE)
        except (OSError, asyncpg.CannotConnectNowError):
            return False
        await connection.close()
        return True


def _programs() -> Path:
    versions = [path for path in _DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    found = shutil.which("initdb")
    if found is None:
        raise ProcessError("PostgreSQL is not installed: run `make setup`")
    return Path(found).resolve().parent


def _as_unprivileged() -> list[str]:
    """What comes before a command that root must not run itself."""
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        problem = f"PostgreSQL can't run as root, and there is no user {_UNPRIVILEGED}"
        raise ProcessError(problem) from None
    # The tie to the parent is undone by a change of user, and is to be kept.
    ids = ("--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups")
    return ["setpriv", *ids, "--pdeathsig", "keep", "--"]


_CONFIG = """
listen_addresses = '{address}'
port = {port}
unix_socket_directories = ''
fsync = off
full_page_writes = off
shared_buffers = 16MB
"""
