"""A real Synapse, on SQLite, that talks to nobody but this machine."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from sandbox.appservice import Registration
from sandbox.ports import LOOPBACK, free_port
from sandbox.process import Process, ProcessError

SYNAPSE_PYTHON = Path(__file__).parent.parent / ".cache" / "synapse-venv" / "bin" / "python"

_NO_LIMIT = {"per_second": 1_000_000, "burst_count": 1_000_000}
_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=20)


@dataclass(frozen=True)
class Account:
    """A Matrix account, logged in once."""

    user_id: str
    password: str = field(repr=False)
    access_token: str = field(repr=False)
    device_id: str


class Synapse(Process):
    """One homeserver in one directory; a start writes its configuration anew and keeps its data."""

    def __init__(  # noqa: PLR0913 -- what a homeserver is, all but the first by keyword
        self,
        directory: Path,
        *,
        server_name: str = "hospital.test",
        app_services: Iterable[Registration | Path] = (),
        experimental_features: Mapping[str, Any] | None = None,
        more_config: Mapping[str, Any] | None = None,
        python: Path = SYNAPSE_PYTHON,
    ) -> None:
        """Take the directory for a homeserver called `server_name`.

        An application service is given as its registration or as the path of a registration file;
        more can be put into `app_services` later, and count from the next start on.
        `more_config` overrides single top-level keys of homeserver.yaml.
        """
        if not python.exists():
            raise ProcessError(f"Synapse is not installed at {python.parent}: run `make setup`")
        self.server_name = server_name
        self.port = free_port()
        self.app_services: list[Registration | Path] = list(app_services)
        self._directory_of_data = directory
        self._experimental_features = dict(experimental_features or {})
        self._more_config = dict(more_config or {})
        self._registration_secret = secrets.token_hex(16)
        self._config_file = directory / "homeserver.yaml"
        super().__init__(
            "Synapse",
            [python, "-m", "synapse.app.homeserver", "-c", self._config_file],
            log=directory / "synapse.log",
            ready=self._is_healthy,
            directory=directory,
        )

    @property
    def url(self) -> str:
        """The client-server API's base, for programs."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def login_url(self) -> str:
        """The homeserver to enter in Element: browsers trust plain http for this name."""
        return f"http://localhost:{self.port}"

    async def start(self) -> None:
        """Write the configuration and run Synapse until it answers."""
        self._write_files()
        await super().start()

    async def register(
        self, localpart: str, password: str, display_name: str | None = None, *, admin: bool = False
    ) -> Account:
        """Make an account, through the API that `register_new_matrix_user` uses."""
        url = f"{self.url}/_synapse/admin/v1/register"
        async with aiohttp.ClientSession(timeout=_REQUEST_TIMEOUT) as http:
            async with http.get(url) as response:
                response.raise_for_status()
                nonce = (await response.json())["nonce"]
            role = "admin" if admin else "notadmin"
            signed = f"{nonce}\0{localpart}\0{password}\0{role}".encode()
            secret = self._registration_secret.encode()
            request = {
                "nonce": nonce,
                "username": localpart,
                "displayname": display_name or localpart,
                "password": password,
                "admin": admin,
                "mac": hmac.new(secret, signed, hashlib.sha1).hexdigest(),
            }
            async with http.post(url, json=request) as response:
                answer = await response.json()
        if response.status != 200:
            raise ProcessError(f"Synapse refused the account {localpart}: {answer}")
        return Account(answer["user_id"], password, answer["access_token"], answer["device_id"])

    async def _is_healthy(self) -> bool:
        try:
            async with (
                aiohttp.ClientSession(timeout=_REQUEST_TIMEOUT) as http,
                http.get(f"{self.url}/health") as response,
            ):
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False

    def _write_files(self) -> None:
        directory = self._directory_of_data
        directory.mkdir(parents=True, exist_ok=True)
        key = directory / "signing.key"
        if not key.exists():
            seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
            key.write_text(f"ed25519 a_sandbox {seed}\n")
        log_config = directory / "log.yaml"
        log_config.write_text(yaml.safe_dump(_LOG_CONFIG))
        self._config_file.write_text(yaml.safe_dump(self._config(), sort_keys=False))

    def _registration_files(self) -> list[str]:
        files = []
        for number, service in enumerate(self.app_services, start=1):
            if isinstance(service, Path):
                file = service
            else:
                file = self._directory_of_data / f"registration-{number}.yaml"
                file.write_text(yaml.safe_dump(dict(service), sort_keys=False))
            files.append(str(file.resolve()))
        return files

    def _config(self) -> dict[str, Any]:
        directory = self._directory_of_data.resolve()
        return {
            "server_name": self.server_name,
            "public_baseurl": f"{self.login_url}/",
            "listeners": [
                {
                    "port": self.port,
                    "bind_addresses": [LOOPBACK],
                    "type": "http",
                    "tls": False,
                    "resources": [{"names": ["client"]}],
                }
            ],
            "database": {
                "name": "sqlite3",
                "args": {"database": str(directory / "homeserver.db")},
            },
            "app_service_config_files": self._registration_files(),
            "registration_shared_secret": self._registration_secret,
            "macaroon_secret_key": self._registration_secret,
            "form_secret": self._registration_secret,
            "bcrypt_rounds": 4,
            "signing_key_path": str(directory / "signing.key"),
            "media_store_path": str(directory / "media"),
            "pid_file": str(directory / "homeserver.pid"),
            "log_config": str(directory / "log.yaml"),
            "experimental_features": self._experimental_features,
            **_ALONE_ON_THIS_MACHINE,
            **_WITHOUT_LIMITS,
            **self._more_config,
        }


_ALONE_ON_THIS_MACHINE: dict[str, Any] = {
    "report_stats": False,
    "trusted_key_servers": [],
    "suppress_key_server_warning": True,
    "federation_domain_whitelist": [],
    "presence": {"enabled": False},
    "url_preview_enabled": False,
}

_WITHOUT_LIMITS: dict[str, Any] = {
    "rc_message": _NO_LIMIT,
    "rc_registration": _NO_LIMIT,
    "rc_admin_redaction": _NO_LIMIT,
    "rc_login": {"address": _NO_LIMIT, "account": _NO_LIMIT, "failed_attempts": _NO_LIMIT},
    "rc_joins": {"local": _NO_LIMIT, "remote": _NO_LIMIT},
    "rc_joins_per_room": _NO_LIMIT,
    "rc_invites": {"per_room": _NO_LIMIT, "per_user": _NO_LIMIT, "per_issuer": _NO_LIMIT},
    "rc_media_create": _NO_LIMIT,
    "rc_key_requests": _NO_LIMIT,
    "rc_presence": {"per_user": _NO_LIMIT},
    "rc_room_creation": _NO_LIMIT,
    "rc_profile": _NO_LIMIT,
    "rc_user_directory": _NO_LIMIT,
    "rc_reports": _NO_LIMIT,
    "max_upload_size": "100M",
}

_LOG_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "WARNING", "handlers": ["console"]},
    # Synapse complains there of its own metrics whenever there are two application services.
    "loggers": {"synapse.util.metrics": {"level": "CRITICAL"}},
}
