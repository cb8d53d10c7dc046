"""CI Observer: `ingest` fills a SQLite file, `web` serves it, `demo` simulates GitHub.

This folder gives the checkout's folders one import name: most of its entries are links
to them, and an installed wheel has the folders themselves in their place. Modules here
are shared by `ingest` and `web`, which do not import each other.
"""

from pathlib import Path

# Holds `metadata.yml` and the folders `plugins`, `static` and `templates`.
ROOT = Path(__file__).parent
