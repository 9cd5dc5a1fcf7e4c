"""The Matrix side: a place like any other to the relay; what is special to it stays in here."""
