"""Portals and links: what is mirrored to where."""
