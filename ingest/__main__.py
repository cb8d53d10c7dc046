"""`python -m ingest` is the command `ci-observer`."""

from ingest.cli import main

main()
