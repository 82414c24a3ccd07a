"""The bus between nodes: short hints on topics, over Redis or over PostgreSQL's NOTIFY.

It makes a cluster fast, and no promise rests on it: whatever a bus carries may get lost, come twice
or come late, and a node that missed a hint reads what was committed from the log. The package knows
no client and no configuration.

`hiredis` and `psycopg` come with the extras `chatd[redis]` and `chatd[postgres]`: nothing imports
`redis_bus` or `notify_bus` unless one is configured.
"""

from chatd.bus.bus import Bus as Bus, Listener as Listener
