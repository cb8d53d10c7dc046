"""The JSON API: its queries and its exports."""
