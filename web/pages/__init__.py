"""The HTML pages next to the wall."""
