"""`ci-observer smoke`: checks of a running instance from outside, over HTTP.

`client` sends the requests, `page` reads HTML, `checks` has a function for each check,
`report` writes the verdict.
"""
