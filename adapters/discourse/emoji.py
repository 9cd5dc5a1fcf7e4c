"""Names that Discourse has for emoji, as far as they are usual among reactions."""

from typing import Final

_NAMES: Final = {
    "heart": "❤️",
    "+1": "👍",
    "thumbsup": "👍",
    "-1": "👎",
    "thumbsdown": "👎",
    "laughing": "😆",
    "smile": "😄",
    "smiley": "😃",
    "slight_smile": "🙂",
    "joy": "😂",
    "rofl": "🤣",
    "wink": "😉",
    "open_mouth": "😮",
    "astonished": "😲",
    "cry": "😢",
    "sob": "😭",
    "angry": "😠",
    "rage": "😡",
    "frowning": "😦",
    "confused": "😕",
    "thinking": "🤔",
    "hugs": "🤗",
    "clap": "👏",
    "pray": "🙏",
    "tada": "🎉",
    "confetti_ball": "🎊",
    "rocket": "🚀",
    "eyes": "👀",
    "fire": "🔥",
    "100": "💯",
    "star": "⭐",
    "bulb": "💡",
    "white_check_mark": "✅",
    "heavy_check_mark": "✔️",
    "x": "❌",
    "question": "❓",
    "exclamation": "❗",
    "warning": "⚠️",
    "wave": "👋",
    "muscle": "💪",
    "handshake": "🤝",
    "purple_heart": "💜",
    "blue_heart": "💙",
    "green_heart": "💚",
    "exploding_head": "🤯",
    "sunglasses": "😎",
    "grin": "😁",
    "grinning": "😀",
    "blush": "😊",
    "heart_eyes": "😍",
    "raised_hands": "🙌",
    "ok_hand": "👌",
    "hospital": "🏥",
    "stethoscope": "🩺",
    "pill": "💊",
    "syringe": "💉",
}
_LIKES: Final = frozenset("❤♥🩷🧡💛💚💙💜🤍🖤🤎👍")
_DRESS: Final = ("\ufe0f", "\ufe0e", *(chr(code) for code in range(0x1F3FB, 0x1F400)))


def shown(name: str) -> str:
    """The emoji of a name, or the name between colons."""
    return _NAMES.get(name, f":{name}:")


def bare(emoji: str) -> str:
    """An emoji without variation and skin tone."""
    for each in _DRESS:
        emoji = emoji.replace(each, "")
    return emoji


def is_like(emoji: str) -> bool:
    """Whether it says no more than a like does."""
    return bare(emoji) in _LIKES


def named(emoji: str, among: tuple[str, ...]) -> str | None:
    """The name, of those that a forum has, of an emoji."""
    wanted = bare(emoji)
    return next((name for name in among if bare(shown(name)) == wanted), None)
