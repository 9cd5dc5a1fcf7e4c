"""Long texts, cut where it hurts least."""

from collections.abc import Iterator


def split(text: str, limit: int) -> Iterator[str]:
    """Cut a text into pieces of at most `limit` UTF-8 bytes, at paragraph, line or word ends.

    Pieces of nothing but white space are left out.

    Raises:
        ValueError: the limit is below the four bytes that one character may need.
    """
    if limit < 4:
        msg = f"no text fits into {limit} bytes"
        raise ValueError(msg)
    start = 0
    while len(text) - start > limit // 4:
        # No more characters than bytes fit, and decoding drops the one that is cut in half.
        window = text[start : start + limit].encode()
        if len(window) <= limit and start + limit >= len(text):
            break
        head = window[:limit].decode("utf-8", "ignore")
        end = _end_of_piece(head, text, start)
        if piece := head[:end].rstrip():
            yield piece
        start = _skip_blank(text, start + end)
    if (rest := text[start:]) and not rest.isspace():
        yield rest


def _end_of_piece(head: str, text: str, start: int) -> int:
    """Where to cut in `head`, which is the text from `start` on as far as it fits."""
    for mark in ("\n\n", "\n"):
        if (end := head.rfind(mark)) > len(head) // 2:
            return end
    if text[start + len(head)] not in "\n " and (end := head.rfind(" ")) > 0:
        return end
    return len(head)


def _skip_blank(text: str, start: int) -> int:
    while start < len(text) and text[start] in "\n ":
        start += 1
    return start
