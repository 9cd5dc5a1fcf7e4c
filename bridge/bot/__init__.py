"""The bot that people talk to: what it understands, who may ask for what, and what it answers."""
