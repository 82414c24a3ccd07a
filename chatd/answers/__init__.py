"""Answers: from a question in a room to rows from its database, streamed (SPEC 6).

`questions` says what in a message is a question, `guard` whether its statement may run, `requests`
and `table` what is asked of a database and what it answers, `answer` how an answer lives and ends,
`markdown` and `exports` how it is read, `cache` what is kept of it; all of that is pure. `service`
answers what is in the log, `peers` carry a request to a db-mcp (a Model Context Protocol server),
`bundled` is the one that chatd brings along, and `sample` makes a database for it. The MCP SDK
takes a second to import, so that only `peers` and `bundled` import it, and they are imported late.
"""
