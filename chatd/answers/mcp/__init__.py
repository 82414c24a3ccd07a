"""Sessions with db-mcps: how a request becomes a tool call, and its result rows.

On the way there, pure: `mapping` says which tool serves which request, `calls` makes the call,
`statements` writes SQL for those that take it. And back: `results` reads a tool's answer in any
form (`documents` of JSON, `exact_json`, `literals` of Python, `records`), `chunks` what comes in
progress messages, `failures` an error. `meter` lets pass what the terms allow, `listing` what a
context allows. `contract` is shared with chatd's own db-mcps.

A session: `settings` says how a db-mcp is started, `secrets` and `last_words` what may be shown of
one that does not start, `locks` what keeps it from writing. `lines` and `stdio` carry messages to a
child process (below `warden`), `http` to a URL; `link` is what is known of the connection.
`session` speaks MCP over either by the official SDK, and `pool` keeps the sessions of one database
(each in a `session_slot`, with a `pooled_call` at a time) and is its `Database`; `running_on` looks
whether a statement of Postgres outlives its call. `inspection` looks at one for `chatd config
check`, and `described` is what clients are told of one.

In a daemon the sessions are in a child process, `host_process`; `host` opens them there, and
`host_frames` is what the two say to each other. Only `stdio`, `http` and `session` import the SDK;
the child process imports these, and so does `pool` for a command without such a process.
"""
