"""The db-mcp for a SQLite file that chatd brings along (docs/answers, "SQLite").

`reading` answers one call on a connection of its own, in a thread; `statement`, `permissions` and
the limits of `handle` decide what may run there, whatever a guard in front has let through. None of
these knows MCP: `db_mcp` is the shell over them.
"""
