"""Writes to the database. Each public function is one transaction, or says otherwise.

Modules are named for their tables. Import a module and call `module.function`:
`feeds.watched(db)`. `run_rows`, `tiles` and `database` serve the other modules.
"""
