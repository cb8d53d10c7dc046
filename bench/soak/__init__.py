"""`make soak`: a whole instance under load and faults for minutes, and a verdict.

`instance` starts the simulated GitHub and `ci-observer up`, `visitors` and `faults` are
the load, `processes` measures, `judge` decides, `table` prints.
"""
