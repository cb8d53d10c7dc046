"""Alerts: changes of tiles that are told outside of the browser."""
