"""How rooms show what happened elsewhere, one file for each kind of thing."""
