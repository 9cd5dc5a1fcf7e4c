"""The people of a consult: accounts made when they are needed, logged out together at the end."""

import itertools
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from sandbox.hospital import HOSPITAL_A, Hospital
from sandbox.matrix_user import MatrixUser
from sandbox.prosody import Prosody
from sandbox.synapse import Synapse
from sandbox.xmpp_user import XmppUser

PASSWORD = "consilium"  # noqa: S105 -- of accounts that live as long as the sandbox

_numbers = itertools.count(1)


class _LoggedIn:
    """People who are logged out when the block ends."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()


class Doctors(_LoggedIn):
    """People on Matrix."""

    def __init__(self, synapse: Synapse) -> None:
        super().__init__()
        self._synapse = synapse

    async def new(self, display_name: str, localpart: str | None = None) -> MatrixUser:
        """Make an account, logged in and listening; without a localpart it gets a fresh one."""
        localpart = localpart or f"doctor-{next(_numbers)}"
        account = await self._synapse.register(localpart, PASSWORD, display_name)
        user = MatrixUser(self._synapse.url, account.user_id, account.access_token)
        return await self._stack.enter_async_context(user)


class Colleagues(_LoggedIn):
    """People on XMPP."""

    def __init__(self, prosody: Prosody) -> None:
        super().__init__()
        self._prosody = prosody

    async def new(self, hospital: Hospital = HOSPITAL_A, localpart: str | None = None) -> XmppUser:
        """Make an account, logged in; without a localpart it gets a fresh one."""
        jid = f"{localpart or f'colleague-{next(_numbers)}'}@{hospital.domain}"
        await self._prosody.add_user(jid, PASSWORD)
        user = XmppUser(jid, PASSWORD, self._prosody.client_port)
        return await self._stack.enter_async_context(user)

    def new_room(self, hospital: Hospital = HOSPITAL_A) -> str:
        """The address of a room nobody has made yet."""
        return hospital.room(f"case-{next(_numbers)}")
