"""The lively world of the demo, and the synthetic worlds of the benchmarks."""
