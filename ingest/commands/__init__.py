"""The work of the commands, one module each; `cli` has their options and help.

`runtime` and `terminal` hold what several commands share.
"""
