"""The simulated GitHub: its world, its REST API, its faults and its HTTP server.

| module | content |
| --- | --- |
| `world.py`, `repositories.py`, `model.py` | the state at one time, and its changes |
| `recorded_runs.py` | recorded run objects as runs of the world |
| `objects.py`, `run_objects.py`, `job_objects.py` | GitHub's JSON objects |
| `api.py`, `filters.py`, `pagination.py`, `viewer.py` | the endpoints |
| `github.py`, `rate_limits.py`, `settings.py` | one request: access, limits, log |
| `faults.py`, `fault_kinds.py` | errors on request |
| `messages.py`, `run_encoder.py`, `byte_cache.py` | requests, responses, caches |
| `asgi_app.py`, `github_server.py` | HTTP on a real socket |
| `control_api.py`, `run_page.py` | `/_sim/…` and the page of a run |
"""
