"""Why a session or a socket ended: every reason, named once.

The first group has the reference server's own words, which clients and operators know. How an end
reaches the peer decides whether a stock client comes back (docs/protocol, "Codes"): the transport
is closed where it should, a DISCONNECT packet is sent only for an end that a retry cannot mend.
"""

from enum import StrEnum


class DisconnectReason(StrEnum):
    """A reason, as logs and the application get it."""

    TRANSPORT_CLOSE = "transport close"  # the peer ended the connection
    TRANSPORT_ERROR = "transport error"  # the connection broke, or its framing was violated
    PING_TIMEOUT = "ping timeout"
    PARSE_ERROR = "parse error"  # a packet that Engine.IO or Socket.IO does not allow
    FORCED_CLOSE = "forced close"
    CLIENT_DISCONNECT = "client namespace disconnect"
    SERVER_DISCONNECT = "server namespace disconnect"
    SERVER_SHUTDOWN = "server shutting down"

    CONNECT_TIMEOUT = "connect timeout"  # no namespace joined in time
    SLOW_CONSUMER = "slow consumer"  # owed more bytes than the bound
    TOKEN_EXPIRED = "token expired"
    DIRECTORY_UNAVAILABLE = "directory unavailable"  # which rooms its user has is not known
    LOG_UNREACHABLE = "log unreachable"  # the client finds another node, which reaches it
    TOKEN_REVOKED = "token revoked"  # an administrator ended the sessions of its user
    KICKED = "kicked"  # an administrator ended it
    OVERLOADED = "overloaded"
    INTERNAL_ERROR = "internal error"
