"""For those who run the bridge: figures, health, and word to whoever supervises the process."""
