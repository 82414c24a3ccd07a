"""What an auditor reads: who asked what, who took what away, and what administrators did.

An entry holds the words of a question, so it is content: it stands in the log, for as long as
`audit.keep_days` says, and never in a line of the daemon's own log. Entries are only ever appended.
What takes longer than a commit, such as a download, and what an administrator does, has two
entries, for its beginning and its end, so that a crash in between hides nothing.
"""

import enum

import attrs


class AuditAction(enum.StrEnum):
    """What was done."""

    ASK = "ask"  # a statement to a database
    EXPORT = "export"  # an answer was downloaded as a file
    KICK = "kick"
    REVOKE = "revoke"
    SAY = "say"
    ERASE_USER = "erase_user"
    DELETE_ROOM = "delete_room"


BEGUN = "begun"
"""The outcome in the entry of a beginning: how it ends is not known yet, or never will be."""
DONE = "done"
NOTHING = "nothing"
"""The outcome of an action that found nobody and nothing to act on."""


@attrs.frozen
class AuditEntry:
    """One entry. `at_ms` is when it began, wall time.

    `user_id` is who did it; a person who uses a command on the daemon's machine is `uid:` and the
    number of that system user. `address` is where it came from, if that is known. `message_id` is
    that of the question, or of the answer that was exported, and `statement` what was asked.
    `target` is the user or the socket that an administrator's action was about, and the id of the
    question behind an export, of which `statement` is then only the beginning. `outcome` says how
    it ended, `code` why, if it went wrong. `span` is a new name each time, shared by the beginning
    and the end of one action.
    """

    action: AuditAction
    at_ms: int
    user_id: str
    outcome: str
    address: str | None = None
    connection_id: str | None = None
    message_id: str | None = None
    statement: str | None = None
    target: str | None = None
    format: str | None = None
    code: str | None = None
    rows: int | None = None
    size_bytes: int | None = None
    elapsed_ms: int | None = None
    span: str | None = None


@attrs.frozen
class AuditEnd:
    """How something ended that began with the entry of this `span`."""

    span: str
    at_ms: int
    outcome: str
    rows: int | None = None
    size_bytes: int | None = None
    elapsed_ms: int | None = None
