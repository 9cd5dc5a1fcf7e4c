"""RSS and Atom feeds as groups that are only read."""

from adapters.web.feed.adapter import FeedAdapter

__all__ = ["FeedAdapter"]
