"""Tries to make the bridge lose, double or misplace something: `python -m torture`, `make torture`.

Doctors and colleagues talk in many portals of a real Synapse and a real Prosody, while the bridge
is killed again and again, the servers are restarted and paused, and the bridge's database fails. In
the end the archives of all places are compared: what one has, all have, once, in order.
"""
