"""The states of each feed's branch over time: the table `state_spans`.

`history` reads the runs of a branch, `sweep` finds every change of its state with the
`status` of each run, `schedule` the times at which it is overdue, `stuck` those at
which a run is stuck, by the usual `durations`. `feeds` knows what was recorded about
the feed, `compute` joins both, `table` writes the rows, and `updates` decides which
times are computed again, and when.
"""
