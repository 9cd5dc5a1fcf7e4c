"""A certificate for servers on loopback, which only those trust who are told to."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from sandbox.process import ProcessError


@dataclass(frozen=True)
class Certificate:
    """PEM files; the certificate is its own authority."""

    file: Path
    key: Path


async def make_certificate(directory: Path) -> Certificate:
    """Make one for `localhost` and 127.0.0.1 in this directory, an absolute path."""
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    made = Certificate(directory / "cert.pem", directory / "key.pem")
    child = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-keyout", str(made.key), "-out", str(made.file), "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await child.communicate()
    if child.returncode != 0:
        raise ProcessError(f"openssl made no certificate: {output.decode().strip()}")
    return made
