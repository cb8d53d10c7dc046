"""CI Observer's writing side: polls GitHub Actions into one SQLite file.

`ingest` owns the database schema and is its only writer. It never imports `plugins`.
"""
