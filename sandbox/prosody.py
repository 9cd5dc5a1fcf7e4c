"""A real Prosody for any number of domains, on loopback, with no other server to talk to."""

import asyncio
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from sandbox.hospital import Hospital
from sandbox.ports import LOOPBACK, free_port
from sandbox.process import Process, ProcessError

_STREAM_HEADER = (
    "<?xml version='1.0'?><stream:stream to='{host}' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)
_PATIENCE = 5.0
MAX_UPLOAD = 1_000_000
"""Bytes."""


class Prosody(Process):
    """One XMPP server in one directory. All its domains reach each other; there is no DNS, no TLS.

    Passwords go over the wire as they are and are stored as they are: nothing here is worth
    protecting, and nothing listens beyond loopback.
    """

    def __init__(
        self,
        directory: Path,
        *,
        hosts: Iterable[str],
        mucs: Iterable[str] = (),
        components: Mapping[str, str] | None = None,
        more_config: str = "",
    ) -> None:
        """Take the directory for a server of these domains.

        `hosts` have accounts, `mucs` have rooms with an archive, and `components` are external
        (XEP-0114), each with its secret. `more_config` is Lua for the global section.
        """
        program = shutil.which("prosody")
        control = shutil.which("prosodyctl")
        if program is None or control is None:
            raise ProcessError("Prosody is not installed: run `make setup`")
        self.hosts = tuple(hosts)
        if not self.hosts:
            raise ValueError("a server without a host has nobody to log in")
        self.mucs = tuple(mucs)
        self.components = dict(components or {})
        self.client_port = free_port()
        self.component_port = free_port()
        self.http_port = free_port()
        self.uploads = ""
        """The domain of a file service (XEP-0363), if there is to be one."""
        self.muc_modules: tuple[str, ...] = ("muc_mam",)
        """What the rooms have beyond the usual; to be set before the start, as `uploads` is."""
        self.modules: tuple[str, ...] = ()
        """What everything has beyond the usual."""
        self._control = control
        self._more_config = more_config
        self._home = directory
        self._config_file = directory / "prosody.cfg.lua"
        super().__init__(
            "Prosody",
            # By its name alone: Prosody 0.12 breaks over a warning about a file with a long path
            [program, "--config", f"./{self._config_file.name}", "-F"],
            log=directory / "prosody.log",
            ready=self._opens_streams,
            directory=directory,
        )

    @classmethod
    def of(cls, hospitals: Iterable[Hospital], directory: Path, *, more_config: str = "") -> Self:
        """One server for the XMPP services of all these hospitals; the first one takes files."""
        hospitals = tuple(hospitals)
        server = cls(
            directory,
            hosts=[hospital.domain for hospital in hospitals],
            mucs=[hospital.muc for hospital in hospitals],
            components={each.component: each.component_secret for each in hospitals},
            more_config=more_config,
        )
        server.uploads = hospitals[0].uploads
        server.modules += ("vcard_legacy",)
        return server

    @property
    def address(self) -> str:
        """The address that clients and components connect to."""
        return LOOPBACK

    async def start(self) -> None:
        """Write the configuration and run Prosody until it answers clients."""
        self._write_files()
        await super().start()

    async def add_user(self, jid: str, password: str) -> None:
        """Make an account, whether the server runs or not."""
        name, _, host = jid.partition("@")
        if host not in self.hosts:
            raise ValueError(f"{host} is not among the hosts {self.hosts}")
        self._write_files()
        child = await asyncio.create_subprocess_exec(
            *(self._control, "--config", f"./{self._config_file.name}"),
            *("register", name, host, password),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._home,
        )
        output, _ = await child.communicate()
        if child.returncode != 0:
            raise ProcessError(f"Prosody refused the account {jid}: {output.decode().strip()}")

    async def _opens_streams(self) -> bool:
        """Whether a client that says hello is answered; the socket alone opens too early."""
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, self.client_port)
        except ConnectionError:
            return False
        try:
            writer.write(_STREAM_HEADER.format(host=self.hosts[0]).encode())
            async with asyncio.timeout(_PATIENCE):
                await reader.readuntil(b"</stream:features>")
        except (ConnectionError, asyncio.IncompleteReadError):
            return False
        finally:
            writer.close()
        return True

    def _write_files(self) -> None:
        (self._home / "data").mkdir(parents=True, exist_ok=True)
        self._config_file.write_text(self._config())

    def _config(self) -> str:
        home = self._home.resolve()
        sections = [
            _GLOBAL.format(
                data=_lua(str(home / "data")),
                pidfile=_lua(str(home / "prosody.pid")),
                address=_lua(LOOPBACK),
                client_port=self.client_port,
                component_port=self.component_port,
                http_port=self.http_port,
                modules="".join(f", {_lua(module)}" for module in self.modules),
            ),
            self._more_config,
            *(f"VirtualHost {_lua(host)}" for host in self.hosts),
            *(f'Component {_lua(muc)} "muc"\n{self._muc_section()}' for muc in self.mucs),
            *([self._uploads_section()] if self.uploads else []),
            *(
                f"Component {_lua(component)}\n  component_secret = {_lua(secret)}"
                for component, secret in self.components.items()
            ),
        ]
        return "\n\n".join(sections) + "\n"

    def _muc_section(self) -> str:
        return _MUC.format(modules=", ".join(map(_lua, self.muc_modules)))

    def _uploads_section(self) -> str:
        return _UPLOADS.format(
            domain=_lua(self.uploads),
            host=_lua(LOOPBACK),
            url=_lua(f"http://{LOOPBACK}:{self.http_port}/"),
            limit=MAX_UPLOAD,
        )


def _lua(text: str) -> str:
    """A Lua string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


_GLOBAL = """\
run_as_root = true -- only has an effect for root, whose files these then are
data_path = {data}
pidfile = {pidfile}
log = {{ {{ levels = {{ min = "info" }}, to = "console" }} }}

interfaces = {{ {address} }}
c2s_ports = {{ {client_port} }}
component_interfaces = {{ {address} }}
component_ports = {{ {component_port} }}
http_interfaces = {{ {address} }}
http_ports = {{ {http_port} }}
https_ports = {{}}
network_settings = {{ nagle = false }} -- which holds small stanzas back for 40 ms

modules_enabled = {{ "roster", "saslauth", "disco", "ping", "carbons", "pep", "smacks"{modules} }}
modules_disabled = {{ "s2s", "tls" }}
authentication = "internal_plain"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true"""

_MUC = """\
  modules_enabled = {{ {modules} }}
  muc_log_by_default = true
  restrict_room_creation = false"""

_UPLOADS = """\
Component {domain} "http_file_share"
  http_host = {host}
  http_external_url = {url}
  http_file_share_size_limit = {limit}"""
