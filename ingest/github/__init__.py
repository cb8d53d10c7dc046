"""GitHub's REST API: an HTTP client, and pure functions for GitHub's rules.

Knows neither the database nor the polling schedule.
"""
