"""Tools for agents: a Model Context Protocol server at `/-/mcp`.

https://modelcontextprotocol.io/specification/

All tools only read. GitHub's free texts are in keys named `untrusted…`, since anyone
who may open a pull request can write them.
"""
