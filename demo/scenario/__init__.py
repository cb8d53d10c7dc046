"""The lively content of the demo and the worlds of the benchmarks."""
