"""The way of an event: in from anywhere, made harmless, stored, relayed, presented."""
