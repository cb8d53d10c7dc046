"""Other instances, whose tiles and runs this one shows, too.

A request to a peer is about its own data only (`peers=no`), so two instances may name
each other.
"""
