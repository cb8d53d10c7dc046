"""The simulated GitHub: its world, its REST API, its faults and its HTTP server.

| module | content |
| --- | --- |
| `world.py`, `runs.py`, `repositories.py`, `model.py` | the state and its changes |
| `recorded_runs.py` | recorded run objects as runs of the world |
| `objects.py`, `run_objects.py`, `job_objects.py`, `annotations.py` | GitHub's JSON |
| `api.py`, `run_endpoints.py`, `filters.py`, `pagination.py` | the endpoints |
| `github.py`, `viewer.py`, `rate_limits.py` | one request: access, limits, log |
| `settings.py` | the behaviour of this GitHub |
| `faults.py`, `fault_….py`, `effects.py` | errors on request |
| `messages.py`, `run_encoder.py`, `byte_cache.py` | requests, responses, caches |
| `asgi_app.py`, `github_server.py` | HTTP on a real socket |
| `control_api.py`, `run_page.py` | `/_sim/…` and the page of a run |
"""
