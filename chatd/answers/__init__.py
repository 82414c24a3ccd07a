"""Answers: from a question in a room to rows from its database, streamed (docs/answers).

`service` holds the open answers, `life` is the life of one of them, `executions` what equal
requests share. `sql` reads statements and judges them, `mcp` carries requests to a db-mcp (a Model
Context Protocol server), `responder` is the port between a message and its request. `requests`
and `table` are what a database is asked and answers, `answer` what an answer comes to, `markdown`
and `exports` how it is read, `sample` a database to begin with. The MCP SDK takes a second to
import, so that only `mcp.session` and the transports beside it import it, late.
"""
