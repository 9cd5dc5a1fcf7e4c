"""What all parts of the kit share: the adapter, its lab, and which tests are for whom."""

import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import ClassVar, Final, TypeVar

import pytest
import pytest_asyncio

from bridge.contract import Adapter, Capabilities, Declaring, Feature, Level
from bridge.testing.lab import Lab
from bridge.testing.stage import Stage, performing

Test = TypeVar("Test", bound=Callable[..., object])

Fits = Callable[["type[Part]"], bool]
_FITS: Final = "_fits"
_ON_ONE_LOOP: Final = pytest.mark.asyncio(loop_scope="session")
_DONE: Final = {Level.FULL, Level.PARTLY}


class Part:
    """A part of the suite, for one way of one adapter.

    A test that asks for what the adapter does not declare is taken out: what is shown otherwise is
    the core's business. What is declared as refused has tests of its own (`parts/honesty.py`).
    """

    kind: ClassVar[str]
    """The name of the adapter's entry point."""
    adapter: ClassVar[type[Adapter]]
    way: ClassVar[str] = ""
    """Which of the ways in `declared()`."""
    sends: ClassVar[bool] = True
    """Whether messages can be shown there at all."""
    receives: ClassVar[bool] = True
    """Whether messages are heard from there at all."""
    catches_up: ClassVar[bool] = True
    """Whether the adapter fetches what it has missed. Else the network delivers it again itself."""
    notices: ClassVar[bool] = True
    """Whether the adapter notices by itself that the network is away. Else at the next message."""
    knows_groups: ClassVar[bool] = True
    """Whether anybody can tell that a group is not there."""

    @staticmethod
    def make_lab(directory: Path) -> Lab:
        """A lab, not yet started; `directory` is empty and its own."""
        raise NotImplementedError

    @classmethod
    def declared(cls) -> Capabilities:
        """What the adapter declares."""
        assert issubclass(cls.adapter, Declaring), f"{cls.adapter.__name__} lacks declared()"
        return cls.adapter.declared()[cls.way]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, test in vars(cls).copy().items():
            if name.startswith("test_") and inspect.iscoroutinefunction(test):
                setattr(cls, name, _ON_ONE_LOOP(test))
        if not hasattr(cls, "adapter"):
            return
        for name in dir(cls):
            fits: Fits | None = getattr(getattr(cls, name), _FITS, None)
            if fits is not None and not fits(cls):
                setattr(cls, name, None)

    @pytest_asyncio.fixture(loop_scope="session", scope="class")
    @classmethod
    async def lab(cls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
        """The network, started once."""
        async with cls.make_lab(tmp_path_factory.mktemp("lab")) as lab:
            yield lab

    @pytest_asyncio.fixture(loop_scope="session")
    async def group(self, lab: Lab) -> str:
        """A group that nobody has used."""
        return await lab.new_group()

    @pytest_asyncio.fixture(loop_scope="session")
    async def stage(self, lab: Lab) -> AsyncIterator[Stage]:
        """The adapter, connected."""
        async with performing(lab, self.declared()) as stage:
            await stage.well(None)
            yield stage


def only_where(fits: Fits) -> Callable[[Test], Test]:
    """Marks a test that is not for every adapter."""

    def mark(test: Test) -> Test:
        before: Fits = getattr(test, _FITS, lambda _: True)
        setattr(test, _FITS, lambda part: before(part) and fits(part))
        return test

    return mark


sending: Final = only_where(lambda part: part.sends)
knowing: Final = only_where(lambda part: part.knows_groups)
receiving: Final = only_where(lambda part: part.receives)


def shows(*features: Feature) -> Callable[[Test], Test]:
    """Marks a test of what the adapter shows."""
    return only_where(
        lambda part: part.sends and all(part.declared().does(each) for each in features)
    )


def hears(*features: Feature) -> Callable[[Test], Test]:
    """Marks a test of what the adapter hears."""
    return only_where(
        lambda part: (
            part.receives and all(part.declared().hearing(each) in _DONE for each in features)
        )
    )
