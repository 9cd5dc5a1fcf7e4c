"""Files on their way between places."""
