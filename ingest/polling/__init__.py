"""The poll loop and the steps of one pass."""
