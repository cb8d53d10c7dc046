"""The objects that versions without the table `schema_objects` created.

In a database of such a version these names are ours and all others a user's. The list
is complete: the objects of later versions are recorded instead.
"""

_NAMES = {
    "view": """
        branch_runs clock counted_values decisive_attempts decisive_runs feed_links
        flaky_runs polling run_days run_decisions run_history run_stats_daily runs_full
        settings tile_decisions tile_facts tile_run_days tile_runs timed_events today
        wall wall_branches
    """,
    "trigger": "runs_drop_decision runs_keep_payload",
    "index": """
        decisions_branch jobs_run payload_parts_hash pending_asked repos_id
        run_values_runs runs_actor runs_branch runs_cancelled runs_commit runs_event
        runs_held runs_scheduled runs_sha runs_started runs_timed runs_unfinished
        runs_workflow
    """,
}
NAMES_BEFORE_RECORD = {
    (kind, name) for kind, names in _NAMES.items() for name in names.split()
}
