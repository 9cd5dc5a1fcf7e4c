"""A real Dovecot with any number of mailboxes, on loopback: IMAP, LMTP, and logins for Postfix."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from sandbox.mail_certificate import Certificate
from sandbox.mail_enclosure import EnclosedProcess
from sandbox.ports import LOOPBACK, free_port
from sandbox.process import ProcessError

_PATIENCE = 5.0
_OWNER = "mail"  # the user that Debian means for mailboxes; Dovecot refuses to use root


class Dovecot(EnclosedProcess):
    """One IMAP server in one directory, which everyone must be able to reach.

    Passwords are stored as they are: nothing here is worth protecting.
    """

    def __init__(self, directory: Path, certificate: Certificate, users: Mapping[str, str]) -> None:
        """Take the directory for the mailboxes of these addresses, each with its password."""
        program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise ProcessError("Dovecot is not installed: run `make setup`")
        if os.geteuid() != 0:
            raise ProcessError("Dovecot and Postfix, as the tests use them, run as root only")
        self.users = dict(users)
        self.plain_port = free_port()
        self.tls_port = free_port()
        self.lmtp_port = free_port()
        self.auth_port = free_port()
        self._home = directory.resolve()
        self._certificate = certificate
        super().__init__(
            "Dovecot",
            [program, "-F", "-c", self._home / "dovecot.conf"],
            log=directory / "dovecot.log",
            ready=self._greets,
            directory=self._home,
        )

    async def start(self) -> None:
        """Write the configuration and run Dovecot until it greets."""
        self._home.mkdir(parents=True, exist_ok=True)
        mailboxes = self._home / "mailboxes"
        mailboxes.mkdir(exist_ok=True)
        shutil.chown(mailboxes, _OWNER, _OWNER)
        lines = [f"{user}:{{PLAIN}}{password}" for user, password in self.users.items()]
        (self._home / "users").write_text("\n".join(lines) + "\n")
        (self._home / "users").chmod(0o644)
        (self._home / "dovecot.conf").write_text(
            _CONFIG.format(
                home=self._home,
                owner=_OWNER,
                address=LOOPBACK,
                certificate=self._certificate.file,
                key=self._certificate.key,
                plain=self.plain_port,
                tls=self.tls_port,
                lmtp=self.lmtp_port,
                auth=self.auth_port,
            )
        )
        await super().start()

    async def _greets(self) -> bool:
        for port, greeting in ((self.plain_port, b"* OK"), (self.lmtp_port, b"220")):
            try:
                reader, writer = await asyncio.open_connection(LOOPBACK, port)
            except ConnectionError:
                return False
            try:
                async with asyncio.timeout(_PATIENCE):
                    if not (await reader.readline()).startswith(greeting):
                        return False
            except (ConnectionError, TimeoutError):
                return False
            finally:
                writer.close()
        return True


_CONFIG = """\
base_dir = {home}/run
state_dir = {home}/state
instance_name = consilium-tests
log_path = /dev/stderr
listen = {address}
protocols = imap lmtp
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:{home}/mailboxes/%u
first_valid_uid = 1
mail_max_userip_connections = 100
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
auth_failure_delay = 0
mailbox_idle_check_interval = 1 secs
default_vsz_limit = 1G
recipient_delimiter = +
lmtp_save_to_detail_mailbox = no
postmaster_address = postmaster@hospital.test
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {home}/users
}}
userdb {{
  driver = static
  args = uid={owner} gid={owner} home={home}/mailboxes/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = {address}
    port = {lmtp}
  }}
}}
service auth {{
  inet_listener sasl {{
    address = {address}
    port = {auth}
  }}
}}
"""
