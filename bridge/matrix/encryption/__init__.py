"""End-to-bridge encryption: the bot and its ghosts take part in encrypted rooms.

`docs/encryption.md` tells how, what it protects, and what it can't. `service` puts the parts
together; only `bridge.app` uses it.
"""
