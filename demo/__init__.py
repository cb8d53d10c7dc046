"""A simulated GitHub: a world of runs that moves with a given clock, over real HTTP.

The product's demo, its tests and its benchmarks talk to it as they would to
api.github.com. `docs/demo.md` lists what is simulated and every fault.
"""
