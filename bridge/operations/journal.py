"""The log's thread from an event's arrival to its copies: every line has the ids to follow it by.

At DEBUG each step of each delivery; without it, only what goes wrong.
"""

from collections.abc import Callable, Sequence

import structlog

from bridge.delivery.watch import Watcher
from bridge.flow.keys import delivery_key
from bridge.flow.relay import Arrival, Duty
from bridge.model import Place
from bridge.store.tables import DeliveryState

log = structlog.get_logger(__name__)

Fields = dict[str, object]


class Journal(Watcher):
    """Writes the lines; also a `bridge.flow.intake.IntakeWatcher`.

    Args:
        place: the place with a number.
        thorough: whether each step is told; the log's level has to let it through.
    """

    def __init__(self, place: Callable[[int], Place | None], *, thorough: bool) -> None:
        self._place = place
        self._thorough = thorough
        self._stuck: set[Place] = set()

    def stored(self, arrivals: Sequence[Arrival], duties: Sequence[Duty], seconds: float) -> None:
        """See `bridge.flow.intake.IntakeWatcher.stored`."""
        if not self._thorough:
            return
        log.debug(
            "committed", arrivals=len(arrivals), deliveries=len(duties), seconds=round(seconds, 4)
        )
        last = 0
        for duty in duties:
            if duty.event is not None and duty.message_id != last:
                last = duty.message_id
                log.debug(
                    "accepted", message=duty.message_id, place=str(duty.event.place),
                    event_id=duty.event.id, kind=duty.event.kind.value,
                )  # fmt: skip
            log.debug("delivery_made", **_fields(duty, self._place(duty.place_id)))

    def stuck(self, place: Place, duty: Duty, reason: str) -> None:
        """See `bridge.delivery.watch.Watcher.stuck`."""
        if place not in self._stuck:
            self._stuck.add(place)
            log.warning("lane_stuck", **_fields(duty, place), reason=reason)
        elif self._thorough:
            log.debug(
                "attempt_failed", **_fields(duty, place), attempts=duty.attempts, reason=reason
            )

    def moving(self, place: Place) -> None:
        """See `bridge.delivery.watch.Watcher.moving`."""
        self._stuck.discard(place)
        log.info("lane_moving", place=str(place))

    def settled(self, place: Place, duty: Duty, state: DeliveryState, reason: str | None) -> None:
        """See `bridge.delivery.watch.Watcher.settled`."""
        if state is DeliveryState.FAILED:
            log.warning("set_aside", **_fields(duty, place), attempts=duty.attempts, reason=reason)
        elif self._thorough:
            log.debug(
                "delivered", **_fields(duty, place), attempts=duty.attempts, copies=len(duty.sent)
            )


def _fields(duty: Duty, place: Place | None) -> Fields:
    """What tells which delivery a line is about; `key` is the id that the copy has or will have."""
    fields: Fields = {"message": duty.message_id, "delivery": duty.id, "place": str(place or "?")}
    if duty.event is not None and place is not None:
        fields["key"] = delivery_key(duty.event, duty.message_id, place)
    return fields
