"""messageIds as clients write them, and as the log knows messages by them.

A client chooses the id of its message, and may choose one that a message has already. A sender who
may read that message gets a conflict. Another sender must not learn that the message exists: the
new message is stored. The log has each id once, so it knows the second message by the id and its
room together; on the wire it has the id that its sender wrote. No other id has two parts, and no
two messages of one room have the same id.
"""

from hashlib import blake2b

WRITTEN_CHARS = 36  # of an id as clients write it, a UUID
SCOPE_BYTES = 8  # of the digest of the room


def scoped_id(message_id: str, connection_id: str) -> str:
    """The id of a message in this room, if another message has the id that was written."""
    digest = blake2b(connection_id.encode(), digest_size=SCOPE_BYTES).hexdigest()
    return f"{message_id}/{digest}"


def written_id(message_id: str) -> str:
    """The id as it was written, which is how clients know the message."""
    return message_id[:WRITTEN_CHARS]
