"""What the db-mcps that chatd brings along have in common, whatever their database.

`server` is the shell over the SDK of MCP and `stdio` its pipes; `arguments` takes a call apart, and
`calls` runs it in a thread, which `interrupt` stops. The thread feeds its rows (`feeding`) to where
they go (`collecting`). What both ends of the pipe know is `answers.mcp.contract`. How a database is
asked is a function of the type `calls.Answer`: `sqlite_mcp` and `postgres_mcp` have one each.
"""
