"""Other instances, whose tiles and runs this one shows, too.

A request to a peer asks for what the peer has itself (`peers=no`), so two instances may
name each other.
"""
