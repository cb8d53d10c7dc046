"""Splits and joins databases by repository, for another number of shards.

`sources` opens the files, `plan` decides where each repository and each run goes,
`tables` says how each table is handled, `copying` fills an output, and `rebuilding`
makes the rows that are not copied.
"""
