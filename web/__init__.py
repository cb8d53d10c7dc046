"""What CI Observer's Datasette plugins share: filters, answers, queries, the server.

`web` only selects from the database. It never imports `ingest` nor sees the token.
"""
