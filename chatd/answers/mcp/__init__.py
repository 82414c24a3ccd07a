"""Sessions with db-mcps: how a request becomes a tool call, and its result rows.

`mapping`, `results` and `chunks` are pure: which tool serves which request, and what its answer
means. `lines` and `stdio` carry messages to a child process, `http` to a URL, `session` speaks MCP
over either by the official SDK, and `pool` keeps the sessions of one database and is its
`Database`. The SDK is imported by `stdio`, `http` and `session` alone, and `pool` imports these
late: see there.
"""
