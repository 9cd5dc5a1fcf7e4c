"""Emoji in the form in which homeservers count them together."""


def full_form(emoji: str) -> str:
    """The fully qualified form."""
    return emoji
