"""The db-mcp for a SQLite file that chatd brings along (docs/answers, "SQLite").

`reading` answers one call on a connection of its own, in a thread; what may run there is decided by
`statement`, `permissions` and the limits of `handle`, whatever a guard in front has let through.
None of that knows MCP: `db_mcp` is the shell over it.
"""
