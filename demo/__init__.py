"""A simulated GitHub over real HTTP, whose time follows a given clock.

The demo, the tests and the benchmarks use it in place of api.github.com.
`docs/demo.md` lists the simulated endpoints and every fault.
"""
