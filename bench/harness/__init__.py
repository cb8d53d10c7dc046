"""The tools of the benchmarks: servers, clients, timing and the table."""
