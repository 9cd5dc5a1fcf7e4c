"""Those who meet: two doctors, and a colleague at each of the two hospitals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from sandbox.appservice import AppService
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B, Hospital
from sandbox.matrix_user import MatrixUser
from sandbox.meeting import Colleague, Meeting
from sandbox.people import Colleagues, Doctors
from sandbox.xmpp_user import XmppUser

ALICE: Final = "Dr. Alice"
BRAM: Final = "Dr. Bram"
CHIARA: Final = "Chiara"
DMITRI: Final = "Dmitri"

_MODERATOR: Final = 50


@dataclass(frozen=True)
class Staff:
    """The four. They can meet in any number of rooms."""

    alice: MatrixUser
    bram: MatrixUser
    chiara: XmppUser
    dmitri: XmppUser

    @classmethod
    async def hire(
        cls, doctors: Doctors, colleagues: Colleagues, localparts: Mapping[str, str] | None = None
    ) -> Self:
        """Make their accounts; without localparts these get fresh names."""
        names = localparts or {}
        return cls(
            await doctors.new(ALICE, names.get(ALICE)),
            await doctors.new(BRAM, names.get(BRAM)),
            await colleagues.new(HOSPITAL_A, names.get(CHIARA)),
            await colleagues.new(HOSPITAL_B, names.get(DMITRI)),
        )

    async def meet(
        self,
        app_service: AppService,
        groups: Mapping[Hospital, str],
        *,
        title: str = "Consult",
        alias: str | None = None,
    ) -> Meeting:
        """Make a Matrix room, with the bot invited, and a group at each of these hospitals.

        The bot is a moderator, so that it may change the topic.
        """
        bot = f"@{app_service.bot}:{self.alice.user_id.partition(':')[2]}"
        invited = [bot, self.bram.user_id]
        room = await self.alice.create_room(title, alias=alias, invite=invited)
        await self.alice.set_power(room, bot, _MODERATOR)
        await self.bram.join(room)
        people = {HOSPITAL_A: (CHIARA, self.chiara), HOSPITAL_B: (DMITRI, self.dmitri)}
        colleagues = {}
        for hospital, group in groups.items():
            name, user = people[hospital]
            await user.create_room(group, name)
            colleagues[name] = Colleague(user, group, hospital)
        return Meeting(room, {ALICE: self.alice, BRAM: self.bram}, colleagues)
