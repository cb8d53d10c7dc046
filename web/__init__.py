"""The web side: Datasette, its server, and the code that the plugin files share.

It only selects from the database, never imports `ingest` and never sees the token.
"""
