"""Why a file is not passed on, in sentences for the one who sent it."""

from bridge.contract import Refused, Unreachable


def in_megabytes(count: int) -> str:
    """A number of bytes for people: "50 MB", "1.5 MB", "200 kB"."""
    unit, size = ("MB", 1_000_000) if count >= 1_000_000 else ("kB", 1_000)
    return f"{count / size:.1f}".removesuffix(".0") + f" {unit}"


class TooBig(Refused):
    """The file is larger than is taken.

    Args:
        limit: what is taken, in bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The file is larger than {in_megabytes(limit)}, and larger ones are not taken.",
            "Send a smaller one.",
        )
        self.limit = limit


class TypeNotTaken(Refused):
    """The admin, or the place, does not take files of this type.

    Args:
        mime: its media type.
    """

    def __init__(self, mime: str) -> None:
        super().__init__(
            f"Files of this type ({mime}) are not taken.", "Send it in another format."
        )
        self.mime = mime


class Uncleanable(Refused):
    """What a picture or film tells about where and when it was taken can't be taken out of it."""

    def __init__(self) -> None:
        super().__init__(
            "The place and time that a picture or film carries could not be removed from this one,"
            " so it was not passed on.",
            "Send it as JPEG, PNG or MP4.",
        )


class NotToBeFetched(Refused):
    """The file is where the bridge may not look for it."""


class Gone(Refused):
    """The file is not there, or not for the bridge."""

    def __init__(self) -> None:
        super().__init__("The file is not there any more.", "Send it again.")


class SourceAway(Unreachable):
    """Whoever has the file does not answer, or breaks off."""


class SpoolFull(Unreachable):
    """The bridge has no room for another file just now."""

    def __init__(self) -> None:
        super().__init__("The bridge has no room for files just now.", retry_after=30.0)
