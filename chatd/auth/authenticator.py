"""The port that turns a client's credentials into an identity with its rooms, or a refusal."""

from collections.abc import Mapping
from typing import Any, Protocol

import attrs

from chatd.auth.directory import Grant
from chatd.auth.tokens import Identity
from chatd.wire.codes import Refusal


@attrs.frozen
class Credentials:
    """What a client shows, and where it is.

    A token may stand in `auth` (the payload of CONNECT), in `authorization` (that header), or in
    `query` (the decoded parameters of the handshake's URL). `address` is the client's, `log_id` how
    logs name what it uses. `is_renewal`: a client that was let in shows its next token.
    """

    address: str
    log_id: str
    auth: Mapping[str, Any] | None = None
    authorization: str | None = None
    query: Mapping[str, str] = attrs.field(factory=dict)
    is_renewal: bool = False


@attrs.frozen
class Admitted:
    """Who a client is, and which rooms the directory gives it."""

    identity: Identity
    grants: Mapping[str, Grant]


class Authenticator(Protocol):
    """Judges credentials. A failure counts against the address, unless it is a renewal's."""

    def authenticate_now(self, credentials: Credentials) -> Admitted | Refusal | None:
        """As `authenticate`; if it would have to wait, None, and nothing is counted."""
        ...

    async def authenticate(self, credentials: Credentials) -> Admitted | Refusal:
        """Who the client is and which rooms it may use, or why it may not come in.

        It answers in bounded time: the connection of the client waits for it, even if the client
        has gone meanwhile.
        """
        ...
