"""The db-mcp that chatd brings along for PostgreSQL, over stdio (docs/answers, "PostgreSQL").

`reading` answers one call, in a thread, within one transaction that cannot write unless the call
may; `server` keeps the connections that calls take and give back. `values` turns what Postgres
sends into cells, exactly; `catalog` has our own statements about tables. `chatd.db_mcp` takes care
of MCP. It needs psycopg, which the extra `chatd[postgres]` installs.
"""
