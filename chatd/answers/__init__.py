"""Answers: from a question in a room to rows from its database, streamed (docs/answers).

`service` holds the open answers, `life` is the life of one of them (as rooms see it: `active`),
`slots` the places that answers wait for, `executions` and `cache` what equal requests share. `sql`
reads statements and judges them, `mcp` carries requests to a db-mcp (a Model Context Protocol
server), `responder` is the port between a message and its request, on the `terms` of its context.
`requests` and `table` hold what a database is asked and what it answers, `answer` what an answer
comes to, `cut` what is missing from it, `markdown` how people read it. `schemas` reads tables and
columns for clients, without a question, and `schema` is what it makes of them. `other_nodes` is the
port to the nodes that own other answers; `cancels` asks them to end one.

A download: `exports` has the formats (`csv_lines`, `workbook`), `stored_table` the rows that a
message holds, as `packed_rows`; `reruns` asks a question again, and `spool` makes the file.
`sample` is a database to begin with; its rows are those of `shop`, in the words of `shop_words`.

Slow work happens in child processes of the daemon (`own_process`, and `own_process_end` in the
child; the two talk in `frames`): `sql.reader` has messages read in one, `mcp.host` has sessions
with db-mcps in another. So the daemon imports neither the grammar nor the MCP SDK.
"""
