"""The one hierarchy of errors. Each message is a plain sentence for the one who can act on it."""

from collections.abc import Iterator


class ConsiliumError(Exception):
    """Base of every error the bridge raises on purpose.

    Args:
        sentence: what is wrong, in one plain sentence.
        advice: what to do about it, in one plain sentence; may be empty.
    """

    def __init__(self, sentence: str, advice: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.sentence} {self.advice}".strip()


class ConfigError(ConsiliumError):
    """The configuration can't be used as it is. Told to the admin at start and by `check`."""


class StoreError(ConsiliumError):
    """The database can't be opened, migrated or written. Told to the admin."""


class StoreUnavailableError(StoreError):
    """The database can't be used now: it is away, locked, or its disk is full. It may come back."""


class UnstorableError(StoreError):
    """The database works, but refuses what it was given: trying that again is of no use."""


class HomeserverError(ConsiliumError):
    """The homeserver can't be used: unreachable, or it refuses the bridge. Told to the admin."""


class AdapterError(ConsiliumError):
    """An adapter is missing, broken, or breaks the contract. Told to the admin."""


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group of errors, as a `TaskGroup` raises it; or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from leaves(part)
    else:
        yield error
