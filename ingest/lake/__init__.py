"""The lake: runs, attempts, jobs and tiles as Delta tables, which column engines read.

`address` says where it is, `tables` what is in it, `source` reads the database, `arrow`
types its rows, `watermark` knows what a table has, and `merging` writes the rest.
`upkeep` compacts files. The package `deltalake` is the extra `ci-observer[lake]`, so
only `commands/lake.py` imports the modules that need it.
"""
