"""Keys that the homeserver pushes, in transactions, instead of having them fetched.

https://github.com/matrix-org/matrix-spec-proposals/pull/3202 and
https://github.com/matrix-org/matrix-spec-proposals/pull/4203, by the names that Synapse has for
them, and by those they will have.
"""

from bridge.matrix.encryption.account import Owner
from bridge.matrix.encryption.feed import News, texts
from bridge.matrix.raw import JsonObject, object_at

_SIGNED = "signed_curve25519"
_TO_DEVICE = ("to_device", "de.sorunome.msc2409.to_device")
_LISTS = ("device_lists", "org.matrix.msc3202.device_lists")
_COUNTS = (
    "device_one_time_keys_count",
    "org.matrix.msc3202.device_one_time_keys_count",
    "org.matrix.msc3202.device_one_time_key_counts",
)
_FALLBACK = (
    "device_unused_fallback_key_types",
    "org.matrix.msc3202.device_unused_fallback_key_types",
)


def pushed_news(body: JsonObject, bot: Owner) -> News:
    """What a transaction's body, of any shape, holds for the bot's device."""
    lists = _object(body, _LISTS)
    count = object_at(object_at(_object(body, _COUNTS), bot.user_id), bot.device_id).get(_SIGNED)
    unused = object_at(_object(body, _FALLBACK), bot.user_id).get(bot.device_id)
    return News(
        [each for each in _list(body, _TO_DEVICE) if _is_for(each, bot)],
        texts(lists.get("changed")),
        texts(lists.get("left")),
        count if isinstance(count, int) else None,
        _SIGNED in unused if isinstance(unused, list) else None,
    )


def _is_for(raw: JsonObject, bot: Owner) -> bool:
    """Requests for keys go to the ghosts' devices, too; all else there is for nobody."""
    if raw.get("type") == "m.room_key_request":
        return True
    return raw.get("to_user_id") == bot.user_id and raw.get("to_device_id") == bot.device_id


def _object(body: JsonObject, names: tuple[str, ...]) -> JsonObject:
    return next((object_at(body, name) for name in names if name in body), {})


def _list(body: JsonObject, names: tuple[str, ...]) -> list[JsonObject]:
    found: object = next((body[name] for name in names if name in body), [])
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
