"""The work of the commands; `cli` has their options and help.

`supervise` runs `up` and `demo`, and `payloads` is part of `prune` and `migrate`.
`runtime`, `ports` and `terminal` are shared by several commands.
"""
