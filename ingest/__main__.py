"""`python -m ingest` is the command `ci-observer`."""

from ci_observer.ingest.cli import main

main()
