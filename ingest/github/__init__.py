"""GitHub's REST API: the HTTP client, and pure functions for its rules."""
