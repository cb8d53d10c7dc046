"""Benchmarks: figures of CI Observer next to a baseline from the same run.

| folder | content |
| --- | --- |
| `measure/` | what is measured: a module for each subject |
| `baselines/` | the programs and pages to compare with |
| `databases/` | the measured databases, their changes and their queries |
| `harness/` | servers, clients, timing, sizes and the table |
"""
