"""The db-mcp that chatd brings along for PostgreSQL, over stdio (docs/answers, "PostgreSQL").

`reading` answers one call, in a thread, within one transaction that cannot write unless the call
may; `server` knows the connections that calls take and give back. `values` makes cells of what
Postgres sends, exactly; `catalog` has our own statements about tables. MCP is the business of
`chatd.db_mcp`. psycopg is needed, which the extra `chatd[postgres]` installs.
"""
