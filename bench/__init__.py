"""Measures the bridge on a scripted homeserver and a real Prosody: `python -m bench`, `make bench`.

The bridge under measurement is the program itself, started as an admin would, in a process of its
own. So are the homeserver (`homeserver`) and the colleague on XMPP (`colleague`); what they say and
hear is timed in their processes, with the clock that all processes of a machine share.
"""
