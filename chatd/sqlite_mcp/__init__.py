"""The db-mcp that chatd brings along: one SQLite database, over stdio (docs/answers, "SQLite").

`contract` is what both ends of the pipe know. `reading` answers one call on a connection of its
own, in a thread; what may run there is decided by `statement`, `permissions` and the limits of
`handle`, whatever a guard in front has let through. None of that knows MCP: `server` is the shell
over the SDK, `stdio` its pipes.
"""
