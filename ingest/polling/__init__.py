"""Polling: passes over the watched feeds, their schedule and their requests.

`feeds` decides what is watched, and `store` writes; this package decides what is
requested when.
"""
