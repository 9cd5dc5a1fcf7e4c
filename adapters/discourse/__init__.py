"""Discourse forums: a category is a group, a topic is a topic."""

from adapters.discourse.adapter import DiscourseAdapter

__all__ = ["DiscourseAdapter"]
