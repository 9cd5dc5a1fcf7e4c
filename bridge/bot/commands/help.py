"""!help: what can be asked for."""

from collections.abc import Mapping
from typing import ClassVar

from bridge.bot.answers import Answer, Piece, code, words
from bridge.bot.command import Manual, Request, Unfit
from bridge.bot.permissions import Rank
from bridge.wording import nearest

WHO = {
    Rank.USER: "everyone who may give commands",
    Rank.MODERATOR: "moderators of the room",
    Rank.ADMIN: "admins of the bridge",
}


class Help:
    """Lists what the asker may ask for, or explains one command."""

    manual: ClassVar[Manual] = Manual("help", "what you can ask me", arguments="[command]", most=1)

    def __init__(self, manuals: Mapping[str, Manual], prefix: str) -> None:
        self._manuals = manuals
        self._prefix = prefix

    async def run(self, request: Request) -> Answer:
        """See `Command.run`."""
        if request.arguments:
            return self._explain(request.arguments[0])
        rows = [
            words(code(manual.usage(self._prefix)), f": {manual.summary}")
            for manual in self._manuals.values()
            if request.rank.covers(manual.needs)
        ]
        where = "Here you can leave out the first sign." if request.private else ""
        more = words("More about one of them: ", code(f"{self._prefix}help status"))
        return Answer.of("You can ask me:", rows, words(more, f". {where}".rstrip()))

    def _explain(self, asked: str) -> Answer:
        name = asked.removeprefix(self._prefix).lower()
        manual = self._manuals.get(name)
        if manual is None:
            meant = nearest(name, self._manuals)
            hint = f"{self._prefix}help {meant}" if meant else f"{self._prefix}help"
            raise Unfit(f"There is no command {asked}.", f"Write {hint}.")
        return Answer.of(
            words(code(manual.usage(self._prefix)), f": {manual.summary}"), _details(manual)
        )


def _details(manual: Manual) -> list[Piece]:
    return [words(each) for each in (*manual.details, f"For {WHO[manual.needs]}.")]
