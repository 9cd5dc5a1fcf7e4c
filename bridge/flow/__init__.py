"""The way of an event: made harmless, stored, relayed, presented."""
