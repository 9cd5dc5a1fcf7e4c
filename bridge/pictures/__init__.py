"""Avatars of those who have none of their own."""
