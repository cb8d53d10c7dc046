"""The database schema: tables, views, indexes and the derived tables."""
