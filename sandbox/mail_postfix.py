"""A real Postfix that delivers to a Dovecot and to a Mailman, on loopback, and to nobody else."""

import asyncio
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from sandbox.mail_certificate import Certificate
from sandbox.mail_enclosure import EnclosedProcess
from sandbox.ports import LOOPBACK, free_port
from sandbox.process import ProcessError

_PATIENCE = 5.0
_PROGRAMS = "/usr/sbin"


class Postfix(EnclosedProcess):
    """One SMTP server in one directory, which everyone must be able to reach.

    It listens on three ports: `plain_port` (STARTTLS is offered), `tls_port` (TLS from the first
    byte), both with logins for who is not on loopback, and takes mail from loopback without one.
    """

    def __init__(  # noqa: PLR0913 - what a server is, all but the first two by keyword
        self,
        directory: Path,
        certificate: Certificate,
        *,
        mailbox_domains: Iterable[str],
        lmtp_port: int,
        auth_port: int,
        list_domains: Iterable[str] = (),
        list_port: int = 0,
        answers: Mapping[str, str] | None = None,
        plain_port: int | None = None,
    ) -> None:
        """Take the directory for a server.

        Mails for `mailbox_domains` go to the LMTP server at `lmtp_port`, those for `list_domains`
        to the one at `list_port`. `answers` are what is said to mails for single recipients
        ("450 4.2.0 Come back later").
        """
        program = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:{_PROGRAMS}")
        if program is None:
            raise ProcessError("Postfix is not installed: run `make setup`")
        if os.geteuid() != 0:
            raise ProcessError("Dovecot and Postfix, as the tests use them, run as root only")
        self.plain_port = plain_port or free_port()
        self.tls_port = free_port()
        self.answers = dict(answers or {})
        self._home = directory.resolve()
        self._certificate = certificate
        self._mailbox_domains = tuple(mailbox_domains)
        self._list_domains = tuple(list_domains)
        self._lmtp_port = lmtp_port
        self._list_port = list_port
        self._auth_port = auth_port
        super().__init__(
            "Postfix",
            [program, "-c", self._home / "etc", "start-fg"],
            log=directory / "postfix.log",
            ready=self._greets,
            directory=self._home,
        )

    async def start(self) -> None:
        """Write the configuration and run Postfix until it greets."""
        etc = self._home / "etc"
        etc.mkdir(parents=True, exist_ok=True)
        (self._home / "queue").mkdir(exist_ok=True)
        (self._home / "data").mkdir(exist_ok=True)
        shutil.chown(self._home / "data", "postfix")
        lists = dict.fromkeys(self._list_domains, f"lmtp:inet:{LOOPBACK}:{self._list_port}")
        _table(etc / "transport", lists)
        _table(etc / "answers", self.answers)
        (etc / "main.cf").write_text(
            _MAIN.format(
                home=self._home,
                certificate=self._certificate.file,
                key=self._certificate.key,
                mailbox_domains=" ".join(self._mailbox_domains),
                list_domains=" ".join(self._list_domains),
                lmtp=self._lmtp_port,
                auth=self._auth_port,
                address=LOOPBACK,
            )
        )
        (etc / "master.cf").write_text(
            _MASTER.format(address=LOOPBACK, plain=self.plain_port, tls=self.tls_port)
        )
        await super().start()

    async def _greets(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, self.plain_port)
        except ConnectionError:
            return False
        try:
            async with asyncio.timeout(_PATIENCE):
                return (await reader.readline()).startswith(b"220")
        except (ConnectionError, TimeoutError):
            return False
        finally:
            writer.close()


def _table(path: Path, entries: Mapping[str, str]) -> None:
    path.write_text("".join(f"{key} {value}\n" for key, value in entries.items()))


_MAIN = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = /dev/stdout
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.hospital.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = {address}
inet_protocols = ipv4
smtp_bind_address = {address}
local_recipient_maps =
alias_maps =
alias_database =
message_size_limit = 40000000
virtual_mailbox_domains = {mailbox_domains}
virtual_mailbox_maps = static:all
virtual_mailbox_limit = 0
mailbox_size_limit = 0
virtual_transport = lmtp:inet:{address}:{lmtp}
relay_domains = {list_domains}
relay_recipient_maps =
transport_maps = texthash:{home}/etc/transport
default_transport = error:this server speaks to nobody beyond this machine
relay_transport = error:no list there
smtpd_recipient_restrictions = check_recipient_access texthash:{home}/etc/answers, permit_mynetworks, permit_sasl_authenticated, reject
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_delay_reject = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:{address}:{auth}
smtpd_sasl_security_options = noanonymous
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_error_sleep_time = 0
disable_dns_lookups = yes
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
lmtp_destination_concurrency_limit = 1
header_size_limit = 1000000
"""  # noqa: E501 - Postfix's own lines

_MASTER = """\
{address}:{plain} inet n - n - - smtpd
{address}:{tls} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
