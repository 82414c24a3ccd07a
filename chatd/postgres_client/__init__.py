"""A PostgreSQL client on Trio: connections whose queries wait without a thread (or in one, with
another version of psycopg), and pools.

It knows no chat, no configuration and no log. It needs psycopg, which the extra `chatd[postgres]`
installs: so nothing imports this package unless PostgreSQL is configured.
"""

from chatd.postgres_client.address import (
    why_misread as why_misread,
    why_unreached as why_unreached,
)
from chatd.postgres_client.choice import (
    WHY_THREADED as WHY_THREADED,
    TrioConnection as TrioConnection,
)
from chatd.postgres_client.opening import conninfo_of as conninfo_of
from chatd.postgres_client.pool import Pool as Pool, Unreachable as Unreachable
