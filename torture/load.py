"""Everyone says something in every portal, again and again, at the pace that is wanted in all."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

from torture.cast import CAST, Person
from torture.setting import Setting
from torture.ward import Ward
from torture.words import Utterance

_SPREAD: Final = 0.9
"""By which part of the time between two messages each may come later."""


class Load:
    """Talks; `said` counts the messages of each author in each portal."""

    def __init__(self, ward: Ward, setting: Setting, seed: int) -> None:
        self._ward = ward
        self._seconds = setting.seconds
        self._portals = range(1, setting.portals + 1)
        self._interval = len(CAST) * setting.portals / setting.per_second
        self._seed = seed
        self._said: Counter[tuple[int, str]] = Counter()

    @property
    def said(self) -> Mapping[tuple[int, str], int]:
        """How many messages each author of each portal has said."""
        return self._said

    async def warm_up(self) -> None:
        """Everyone says one thing in every portal."""
        async with asyncio.TaskGroup() as group:
            for portal in self._portals:
                for person in CAST:
                    group.create_task(self._say_next(portal, person))

    async def run(self) -> None:
        """Talk for as long as the setting says; returns when the last message is said.

        Who could not speak for a while says what is due as soon as it works again.
        """
        async with asyncio.TaskGroup() as group:
            for portal in self._portals:
                for person in CAST:
                    group.create_task(self._talk(portal, person))

    async def _talk(self, portal: int, person: Person) -> None:
        dice = random.Random(f"{self._seed} {portal} {person.key}")  # noqa: S311 - no secret
        began = time.monotonic()
        beat = dice.random() * self._interval
        while beat < self._seconds:
            late = dice.random() * _SPREAD * self._interval
            await asyncio.sleep(max(0.0, began + beat + late - time.monotonic()))
            beat += self._interval
            await self._say_next(portal, person)

    async def _say_next(self, portal: int, person: Person) -> None:
        number = self._said[portal, person.key] + 1
        await self._say(person, Utterance(portal, person.key, number))
        self._said[portal, person.key] = number

    async def _say(self, person: Person, utterance: Utterance) -> None:
        doctor = self._ward.doctors.get(person.key)
        if doctor is not None:
            await doctor.say(utterance)
        else:
            await self._ward.colleagues[person.key].say(utterance)
