"""Formats of pictures and films, as far as taking metadata out of them needs them.

Each module gives `pieces`, a clean copy piece by piece, and `size`, width and height as they are to
be shown. Nothing is decoded, so nothing can unpack to more than it is.
"""
