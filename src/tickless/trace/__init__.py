"""What happened, for people and tools."""
