"""The rooms and groups that the bridge takes part in, and what was said there meanwhile."""
