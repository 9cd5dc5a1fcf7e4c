"""Portals and links, and the rooms and groups that the bridge is in for them."""
