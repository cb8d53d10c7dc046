"""`make scale`: CI Observer on more than one machine, tried on this one.

`parts` lists what is measured, a module each. `figures` has the table.
"""
