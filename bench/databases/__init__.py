"""The databases that are measured: their runs, their changes and their queries."""
