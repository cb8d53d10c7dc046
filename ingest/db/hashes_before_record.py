"""The objects that versions without the table `schema_objects` created.

In a database of such a version, an object is ours if its name and its text are listed
here; any other is a user's. The list is complete: later versions record their objects.
"""

# Type and name → hashes of the texts that earlier versions gave the object, separated
# by spaces; `objects` computes them.
_HASHES = {
    "view": {
        "branch_runs": "3aba24029774 eec8dc623a42",
        "clock": "73b2a852ea88",
        "counted_values": "e826f952477e",
        "decisive_attempts": "b000e4f15076",
        "decisive_runs": (
            "11859bc97ee7 44f4e0c7c9e7 6f7ede632a60 7ea3a362adb4 82ba050b0aa4"
        ),
        "feed_links": "edd95ecc466a",
        "flaky_runs": "3a501e4cb8c4 ebd249c00b2c ecaef66fee7e",
        "polling": "2331d088b7ff 41355d0edabe",
        "run_days": "fc2d1f91c2da",
        "run_decisions": "bef2db410851 bf4ddbc313a1 fa1a09ec6e0e",
        "run_history": "d0a86c44b01f",
        "run_stats_daily": "0f366a1eb011 bbbc670aede7",
        "runs_full": "5e204ef70d94 cdb7a5e9e150 dbf5731ae602 e5065effb747",
        "settings": "f13a037a0b9b",
        "tile_decisions": "5b0d1ccd9ca2 cca5ae9965de",
        "tile_facts": (
            "10cc19cf1809 1264f181df45 2196c30a71c8 27f111577eb5 "
            "2f733519ca36 311a10a93bf1 420ebb3262a3 639db8aa5a1c "
            "86f1edd74c2e b099455944c1 b11ebea34b10 b3fa9b9dfa75 "
            "c59e349d5a44 fb9fb7174885"
        ),
        "tile_run_days": "59309b226399",
        "tile_runs": "275bc0935cbb 3ed03ca610a0 a742a9635e1a cafe26cfca95",
        "timed_events": "d2ad4969db4e",
        "today": "d9002ec72dcf",
        "wall": "9d99cf9238f2",
        "wall_branches": (
            "0afab805747f 128afd7559a4 30ab2cc3265d 49a0034f53b1 "
            "7162874f0437 78065c2a39b2 7a4e72113b23 a14f1e27e9b1 "
            "a95c1c543ff6 cf4b8a4bed1e e3449d33c6b9"
        ),
    },
    "trigger": {
        "runs_drop_decision": "ed166d9c8df1",
        "runs_keep_payload": "19dd86f01850 dfb4fba607de",
    },
    "index": {
        "decisions_branch": "f9efb93385a9",
        "jobs_run": "f91c4bb9b6b8",
        "payload_parts_hash": "722a5b5cb136",
        "pending_asked": "f14cf49eb6d8",
        "repos_id": "4acf014fb655",
        "run_values_runs": "0552f0f15bca",
        "runs_actor": "9efa8e27bc5b",
        "runs_branch": "8a82c42e2a6b a1af27a79fc0",
        "runs_cancelled": "4e091edcc683 611961c6f179",
        "runs_commit": "0847d66bfbff",
        "runs_event": "6d4cc9d96e7c",
        "runs_held": "96e413fadada a7d6f7609de6",
        "runs_scheduled": "42e4ad9ca2a3",
        "runs_sha": "478188431842",
        "runs_started": "37588b2c08eb 7f095141b235 d14cadbd210c",
        "runs_timed": "22b84964c5b6",
        "runs_unfinished": "2916e0c87e6b 6533ecc4b871 7bf8102c38ae",
        "runs_workflow": "98333ba30a30 a5ec92adc985 f4a29dd98d5c",
    },
}
HASHES_BEFORE_RECORD = {
    (kind, name): frozenset(hashes.split())
    for kind, objects in _HASHES.items()
    for name, hashes in objects.items()
}
