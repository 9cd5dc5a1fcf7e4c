"""What events of rooms say, one file for each kind of thing that people do there.

All of it is hardened: an event may be JSON of any shape, and none makes these functions raise.
"""
