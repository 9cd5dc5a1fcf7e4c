"""Carries a plan out: what is shown about one message becomes what is to be shown."""

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from bridge.contract import Refused
from bridge.status.notifier import Notifier, Report, Verdict
from bridge.status.picture import Picture
from bridge.status.plans import Plan
from bridge.store.notices import NoticeRow

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Teller:
    """Tells rooms about their messages.

    What a room does not let the bot tell is logged, and not tried again.
    """

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    async def tell(self, plan: Plan) -> NoticeRow:
        """Show one message as it is now. One mark at a time: an old one goes first, and the new
        one comes with the next plan.

        Returns:
            What is shown after that.

        Raises:
            Unreachable: not now. What was done before that is done again, which is harmless.
        """
        row, wanted = plan.row, plan.picture
        row = await self._mark(plan.room_id, row, wanted)
        row = await self._notice(plan.room_id, row, wanted)
        if wanted.report is not None and row.reported != wanted.report.verdict:
            row = await self._report(plan.room_id, row, wanted.report)
        return replace(row, open=wanted.waiting or row.mark_text is not None)

    async def _mark(self, room_id: str, row: NoticeRow, wanted: Picture) -> NoticeRow:
        if row.mark_text is None:
            return row
        key = f"mark.{row.message_id}.{row.revision}"
        if row.mark_id is None:
            mark_id = await self._allowed(
                self._notifier.mark(room_id, row.event_id, row.mark_text, key)
            )
            return replace(row, mark_id=mark_id or "")
        if row.mark_about == wanted.mark_about:
            return row
        if row.mark_id:
            await self._allowed(self._notifier.unmark(room_id, row.mark_id, f"un{key}"))
        after = row.revision + 1
        return replace(row, mark_text=None, mark_about=None, mark_id=None, revision=after)

    async def _notice(self, room_id: str, row: NoticeRow, wanted: Picture) -> NoticeRow:
        if row.notice_text is None:
            return row
        if row.notice_id is None:
            under = row.event_id if wanted.under else None
            key = f"notice.{row.message_id}"
            notice_id = await self._allowed(
                self._notifier.say(room_id, row.notice_text, key, under=under)
            )
            row = replace(row, notice_id=notice_id or "")
        if wanted.notice is None or wanted.notice == row.notice_text:
            return row
        if row.notice_id:
            key = f"change.{row.message_id}.{row.revision}"
            await self._allowed(self._notifier.change(room_id, row.notice_id, wanted.notice, key))
        return replace(row, notice_text=wanted.notice, revision=row.revision + 1)

    async def _report(self, room_id: str, row: NoticeRow, report: Report) -> NoticeRow:
        key = f"status.{row.message_id}.{row.revision}.{report.verdict}"
        await self._allowed(self._notifier.report(room_id, row.event_id, report, key))
        return replace(row, reported=None if report.verdict is Verdict.SUCCESS else report.verdict)

    @staticmethod
    async def _allowed(telling: Coroutine[Any, Any, T]) -> T | None:
        try:
            return await telling
        except Refused as error:
            log.warning("not_told", reason=str(error))
            return None
