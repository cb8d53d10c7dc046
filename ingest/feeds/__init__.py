"""Which repositories and workflows are watched."""
