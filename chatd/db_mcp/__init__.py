"""What the db-mcps that chatd brings along have in common, whatever their database.

`server` is the shell over the SDK of MCP and `stdio` its pipes; `arguments` takes a call apart, and
`calls` runs it in a thread, which `interrupt` stops. The thread feeds its rows (`feeding`) to where
they go (`collecting`). Both ends of the pipe share `answers.mcp.contract`. A function of the type
`calls.Answer` asks the database: `sqlite_mcp` and `postgres_mcp` have one each.
"""
