"""Datasette's pages: cells, links between rows, and example queries."""
