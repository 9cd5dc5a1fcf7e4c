"""The section `encryption` of the configuration file."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from bridge.matrix.encryption.key_file import parse_key
from bridge.matrix.encryption.recovery_key import RecoveryKey
from bridge.secret import Secret


class Mode(StrEnum):
    """In which rooms the bridge takes part."""

    OFF = "off"
    ALLOW = "allow"
    DEFAULT = "default"
    REQUIRE = "require"

    @property
    def on(self) -> bool:
        """Whether the bridge encrypts at all."""
        return self is not Mode.OFF

    @property
    def encrypts_new_rooms(self) -> bool:
        """Whether rooms that the bridge makes are encrypted."""
        return self in {Mode.DEFAULT, Mode.REQUIRE}


class KeySource(StrEnum):
    """How the homeserver hands over what was sent to the bot's device."""

    SYNC = "sync"
    PUSH = "push"


class DeviceRule(StrEnum):
    """Whose keys count."""

    ALL = "all"
    SIGNED = "signed"


def _key(key: SecretStr) -> SecretStr:
    """Raises ValueError for what is no key."""
    parse_key(key.get_secret_value())
    return key


def _recovery_key(key: SecretStr) -> SecretStr:
    """Raises ValueError for what is no recovery key."""
    RecoveryKey.parse(key.get_secret_value())
    return key


def _unread_off(written: object) -> object:
    # YAML reads the bare word as a truth value
    return "off" if written is False else written


class Encryption(BaseModel):
    """Encrypted rooms; see docs/encryption.md."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    mode: Annotated[Mode, BeforeValidator(_unread_off)] = Field(
        default=Mode.OFF,
        description="off; allow: in rooms that are encrypted; default: and rooms that the bridge"
        " makes are; require: in no others",
    )
    devices: DeviceRule = Field(
        default=DeviceRule.ALL,
        description="all, or signed: keys go only to devices that their owners have verified, and"
        " only messages from those are carried",
    )
    keys: KeySource = Field(
        default=KeySource.SYNC,
        description="sync: the bridge fetches keys, which works everywhere; push: the homeserver"
        " pushes them",
    )
    key_file: Annotated[str, Field(min_length=1, max_length=1000)] = Field(
        default="encryption.key",
        description="The file that the key to the stored secrets is in; made at the first start",
    )
    key: Annotated[Secret, AfterValidator(_key)] | None = Field(
        default=None, description="That key itself, instead of a file"
    )
    recovery_key: Annotated[Secret, AfterValidator(_recovery_key)] | None = Field(
        default=None, description="The recovery key of a lost database, for the first start"
    )
