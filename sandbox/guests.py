"""Who takes part in the demo's room from networks of other kinds: a mailing list and a feed."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sandbox.consult import CONSULT
from sandbox.feed_site import FeedSite
from sandbox.mailing_list import ListMail, MailingList
from sandbox.meeting import MATRIX_ROOM, Meeting
from sandbox.process import ProcessError

_SOCIETY = "Society"
_JOURNALS = "Journals"
_EDITORS = "The Editors"
_TITLE = "Early angiography without ST elevation: a trial of 1,200 patients"
_ANSWER = "We read along on the list, and had such a case last month: a good plan."
_SECONDS = 30.0


@dataclass(frozen=True)
class Guests:
    """The feed, and the mailing list, without which the demo goes on where there can be none."""

    site: FeedSite
    mailing_list: MailingList | None

    @property
    def words(self) -> Mapping[str, str]:
        """What they say, and who everyone else sees saying it."""
        said = {_TITLE: f"{_EDITORS} ({_JOURNALS})"}
        if self.mailing_list is not None:
            said[_ANSWER] = f"{self.mailing_list.colleague} ({_SOCIETY})"
        return said

    def networks(self) -> dict[str, Mapping[str, Any]]:
        """Their networks, as the bridge's configuration has them."""
        found: dict[str, Mapping[str, Any]] = {
            "journals": {"type": "feed", "name": _JOURNALS, "minutes": 1}
        }
        if self.mailing_list is not None:
            found["society"] = self.mailing_list.network(_SOCIETY)
        return found

    def links(self) -> list[tuple[str, str, str]]:
        """The portal's links to them."""
        found = [("journals", self.site.feed, "in")]
        if self.mailing_list is not None:
            found.append(("society", self.mailing_list.address, "both"))
        return found

    async def join_in(self, meeting: Meeting) -> None:
        """Publish an article, and answer the last mail; all of it arrives everywhere.

        Raises:
            TimeoutError: it did not arrive somewhere.
        """
        await self.site.publish(_TITLE, "Within 24 hours is soon enough.", _EDITORS)
        await _arrived(meeting, _TITLE)
        if self.mailing_list is None:
            return
        mails, last = self.mailing_list.mails, CONSULT[-1].text
        answered = await mails.wait_for(lambda mail: last in mail.text, timeout=_SECONDS)
        await self.mailing_list.write(f"Re: {answered.subject}", _ANSWER, answered)
        await _arrived(meeting, _ANSWER)
        for word in (*(line.text for line in CONSULT), _TITLE, _ANSWER):
            await mails.wait_until(partial(_is_in, word, mails), timeout=_SECONDS)

    def faults(self, meeting: Meeting) -> list[str]:
        """What is missing, doubled, or under a wrong name; empty if all is well."""
        found = []
        for word, speaker in self.words.items():
            for place, lines in meeting.seen().items():
                seen = [line.speaker for line in lines if word in line.text]
                if seen != [speaker]:
                    found.append(f"{place}: expected once from {speaker}: {word}; seen: {seen}")
        if self.mailing_list is not None:
            mails = list(self.mailing_list.mails)
            for word in (*(line.text for line in CONSULT), _TITLE, _ANSWER):
                times = sum(word in mail.text for mail in mails)
                if times != 1:
                    found.append(f"{self.mailing_list.address}: {times} times: {word}")
        return found


@asynccontextmanager
async def guests() -> AsyncIterator[Guests]:
    """Start them. Where there can be no mail servers, one line says so."""
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(FeedSite())
        # Mail servers drop their rights, and then reach no directory of somebody's own
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="consilium-"))
        await asyncio.to_thread(Path(name).chmod, 0o755)
        mailing_list: MailingList | None = None
        try:
            mailing_list = await stack.enter_async_context(MailingList(Path(name) / "mail"))
        except (ProcessError, OSError) as error:
            reason = str(error).partition("\n")[0]
            print(f"(Without a mailing list: {reason})", end=" ", flush=True)
        yield Guests(site, mailing_list)


async def _arrived(meeting: Meeting, word: str) -> None:
    """Return once everyone else shows it."""
    async with asyncio.TaskGroup() as waiting:
        for place in meeting.places:
            shown = partial(_shows, meeting, place, word)
            if place == MATRIX_ROOM:
                waits = meeting.host.timeline.wait_until(shown, timeout=_SECONDS)
            else:
                waits = meeting.observer(place).messages.wait_until(shown, timeout=_SECONDS)
            waiting.create_task(waits)


def _shows(meeting: Meeting, place: str, word: str) -> bool:
    return any(word in line.text for line in meeting.seen()[place])


def _is_in(word: str, mails: Iterable[ListMail]) -> bool:
    return any(word in mail.text for mail in mails)
