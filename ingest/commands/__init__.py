"""The long commands, one module each."""
