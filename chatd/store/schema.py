"""The tables of the log, and the steps from one version of them to the next.

Each entry of `MIGRATIONS` leads from the version that is its index to the next; `user_version` in
the file says how many were taken. A step that was released is never edited.

How the tables are meant:

- **position** counts every record of whatever kind, once, in the order of commits. The last one is
  kept in `meta`, as not every record leaves a row behind. A snapshot names the one it stands at.
- **messages** have the position as their rowid, so that the log is appended to at its end. UUIDs
  are 16 bytes, rooms are numbers: both are in indexes.
- **members** hold what each member is owed (`chatd.chat.queue`): `away_seq` is null while one of
  its sockets is in the room; `gaps` and `fallen` are JSON. A row is written whole, so that the
  newest one is all that counts; its position tells a snapshot what is newer than itself. A user
  who is removed keeps a row with `is_member` 0, for the same reason.
- **forgotten_seq** is the last seq that retention removed from a room: seqs are never used again.
- **has_scoped_ids** says whether a message ever had an id with a scope (`chatd.chat.ids`): mostly
  no message had one, and then nothing looks for them.
- **changes** are what was done to messages, each with who and when, and are only ever appended to.
  `kind` is "edit", "delete", "react", "unreact", or "erase": an erased message has no other change,
  and its own row says nothing. `written` is the text of an edit, the emoji of a reaction. `message`
  is the position of the message, whose own row otherwise stays as it was first written.
- **changed** has a row for each message that was changed, with what these changes come to: its text
  where it was edited, its reactions as JSON. `rev` is that of the newest change. `last_rev` of a
  room is its newest; the message of that change may be gone.
- **answers** have a row for each question, by the id of its message; `state` is null while the
  answer is open, so that a start knows what a crash has interrupted. With `is_to_read`, whether the
  message is a question has not been read yet; if it is not, the row goes.
- **read_seq** of a member is up to where it has read its room, **name** its newest name.
- **mentions** has a row for each message that mentions users, as it is today: `users` is a JSON
  list of their ids, `author` that of its author. A message without a row mentions nobody.
- **audit** has what `chatd.chat.audit` says of it, at the position of its record; `room` is a
  connection id, as an action may be about a room that is not in the log. A row without an action
  is the end of the one that has its `span`. A row is never changed, except that an erasure takes
  the words and the address out of it; `audit_is_appended` enforces that. **address** of an answer
  is there while the answer is open: then it moves into the audit.
- **message_text** is the index of the search: the words of each content (`chatd.chat.words`), and
  not the content. It is brought forward behind the commits, message by message and change by
  change, up to `indexed_position`: it holds the messages as of then. It has the
  form `indexed_form`; when the form changes, what was indexed before is indexed anew, from the
  newest back to the oldest, and `unindexed_up_to` says what is still to come.
- Foreign keys are not enforced: one writer makes all rows, from its own map of rooms.
"""

import sqlite3
from collections.abc import Sequence

from chatd.chat.words import FORM

APPLICATION_ID = 0x63686474  # "chdt", in the header of the file: `file(1)` and we know it by that

MIGRATIONS: Sequence[Sequence[str]] = (
    (
        """
        CREATE TABLE meta (
            only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
            epoch TEXT NOT NULL,
            created_ms INTEGER NOT NULL,
            position INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE rooms (
            room_id INTEGER PRIMARY KEY,
            connection_id TEXT NOT NULL UNIQUE
        ) STRICT
        """,
        """
        CREATE TABLE messages (
            position INTEGER PRIMARY KEY,
            room_id INTEGER NOT NULL REFERENCES rooms,
            seq INTEGER NOT NULL,
            message_id BLOB NOT NULL,
            thread_id BLOB,
            timestamp_ms INTEGER NOT NULL,
            delivered_ms INTEGER,
            delivered_by TEXT,
            user_id TEXT NOT NULL,
            name TEXT,
            context BLOB,
            content TEXT NOT NULL
        ) STRICT
        """,
        "CREATE UNIQUE INDEX messages_by_seq ON messages (room_id, seq)",
        "CREATE UNIQUE INDEX messages_by_id ON messages (message_id)",
        """
        CREATE INDEX messages_by_thread ON messages (room_id, thread_id, seq)
        WHERE thread_id IS NOT NULL
        """,
        """
        CREATE TABLE members (
            room_id INTEGER NOT NULL REFERENCES rooms,
            user_id TEXT NOT NULL,
            joined_ms INTEGER NOT NULL,
            position INTEGER NOT NULL,
            PRIMARY KEY (room_id, user_id)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE acknowledged_up_to (
            room_id INTEGER NOT NULL REFERENCES rooms,
            user_id TEXT NOT NULL,
            seq INTEGER NOT NULL,
            at_ms INTEGER NOT NULL,
            position INTEGER NOT NULL,
            PRIMARY KEY (room_id, user_id)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE acknowledged (
            room_id INTEGER NOT NULL REFERENCES rooms,
            user_id TEXT NOT NULL,
            seq INTEGER NOT NULL,
            at_ms INTEGER NOT NULL,
            position INTEGER NOT NULL,
            PRIMARY KEY (room_id, user_id, seq)
        ) STRICT, WITHOUT ROWID
        """,
    ),
    (
        "ALTER TABLE rooms ADD COLUMN forgotten_seq INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE members ADD COLUMN is_member INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE members ADD COLUMN away_seq INTEGER",
        "ALTER TABLE members ADD COLUMN away_ms INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE members ADD COLUMN gaps TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE members ADD COLUMN fallen TEXT",
        # Nothing was owed before there was a queue: members begin where their rooms stand now.
        """
        UPDATE members SET away_ms = joined_ms, away_seq = (
            SELECT coalesce(max(m.seq), 0) FROM messages m WHERE m.room_id = members.room_id)
        """,
        "CREATE INDEX members_by_position ON members (position)",
        "DROP TABLE acknowledged",
        "DROP TABLE acknowledged_up_to",
        "ALTER TABLE meta ADD COLUMN indexed_position INTEGER NOT NULL DEFAULT 0",
        """
        CREATE VIRTUAL TABLE message_text USING fts5 (
            content, content = 'messages', content_rowid = 'position',
            tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3')
        """,
    ),
    (
        "ALTER TABLE messages ADD COLUMN reply_to BLOB",
        "ALTER TABLE messages ADD COLUMN answer BLOB",
        """
        CREATE TABLE answers (
            question_id BLOB NOT NULL PRIMARY KEY,
            answer_id BLOB NOT NULL,
            room_id INTEGER NOT NULL REFERENCES rooms,
            user_id TEXT NOT NULL,
            thread_id BLOB,
            opened_ms INTEGER NOT NULL,
            state TEXT
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX answers_open ON answers (opened_ms) WHERE state IS NULL",
    ),
    (
        "ALTER TABLE answers ADD COLUMN is_to_read INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE meta ADD COLUMN has_scoped_ids INTEGER NOT NULL DEFAULT 0",
    ),
    (
        "ALTER TABLE meta ADD COLUMN indexed_form TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE meta ADD COLUMN unindexed_up_to INTEGER NOT NULL DEFAULT 0",
        "DROP TABLE message_text",
        """
        CREATE VIRTUAL TABLE message_text USING fts5 (
            words, content = '', tokenize = 'ascii', prefix = '2 3')
        """,
    ),
    (
        "ALTER TABLE rooms ADD COLUMN last_rev INTEGER NOT NULL DEFAULT 0",
        """
        CREATE TABLE changes (
            position INTEGER PRIMARY KEY,
            room_id INTEGER NOT NULL REFERENCES rooms,
            rev INTEGER NOT NULL,
            message INTEGER NOT NULL REFERENCES messages,
            kind TEXT NOT NULL,
            user_id TEXT NOT NULL,
            at_ms INTEGER NOT NULL,
            written TEXT
        ) STRICT
        """,
        "CREATE UNIQUE INDEX changes_by_rev ON changes (room_id, rev)",
        "CREATE INDEX changes_by_message ON changes (message, position)",
        # Without it, the last text of a message would be searched for among all reactions to it.
        """
        CREATE INDEX changes_of_text ON changes (message, position)
        WHERE kind IN ('edit', 'delete')
        """,
        """
        CREATE TABLE changed (
            message INTEGER PRIMARY KEY REFERENCES messages,
            room_id INTEGER NOT NULL REFERENCES rooms,
            seq INTEGER NOT NULL,
            rev INTEGER NOT NULL,
            at_ms INTEGER NOT NULL,
            edited_rev INTEGER NOT NULL,
            edited_ms INTEGER,
            content TEXT,
            deleted_ms INTEGER,
            reactions TEXT NOT NULL
        ) STRICT
        """,
        "CREATE UNIQUE INDEX changed_by_rev ON changed (room_id, rev)",
    ),
    (
        "ALTER TABLE members ADD COLUMN read_seq INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE members ADD COLUMN name TEXT",
        # Nothing was unread before there were markers: they begin where their rooms stand now.
        """
        UPDATE members SET read_seq = (
            SELECT max(r.forgotten_seq, coalesce(
                (SELECT max(m.seq) FROM messages m WHERE m.room_id = r.room_id), 0))
            FROM rooms r WHERE r.room_id = members.room_id)
        """,
        """
        CREATE TABLE mentions (
            message INTEGER PRIMARY KEY REFERENCES messages,
            room_id INTEGER NOT NULL REFERENCES rooms,
            seq INTEGER NOT NULL,
            author TEXT NOT NULL,
            users TEXT NOT NULL
        ) STRICT
        """,
        "CREATE UNIQUE INDEX mentions_by_seq ON mentions (room_id, seq)",
    ),
    (
        "ALTER TABLE answers ADD COLUMN address TEXT",
        """
        CREATE TABLE audit (
            position INTEGER PRIMARY KEY,
            at_ms INTEGER NOT NULL,
            action TEXT,
            user_id TEXT,
            outcome TEXT NOT NULL,
            address TEXT,
            room TEXT,
            message_id TEXT,
            statement TEXT,
            target TEXT,
            format TEXT,
            code TEXT,
            rows INTEGER,
            size_bytes INTEGER,
            elapsed_ms INTEGER,
            span TEXT
        ) STRICT
        """,
        "CREATE UNIQUE INDEX audit_ends ON audit (span) WHERE action IS NULL",
        """
        CREATE TRIGGER audit_is_appended BEFORE UPDATE OF
            position, at_ms, action, user_id, outcome, room, message_id, target, format, code, rows,
            size_bytes, elapsed_ms, span
        ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END
        """,
    ),
)

CURRENT_VERSION = len(MIGRATIONS)
TEXT_OPTIONS = "tokenize = 'ascii', prefix = '2 3'"  # of `message_text`


def create(connection: sqlite3.Connection, created_ms: int) -> None:
    """Make the tables in an empty file, and give the log its epoch: 16 random hex digits."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    migrate(connection, 0)
    connection.execute(
        "INSERT INTO meta (only_row, epoch, created_ms, position, indexed_form)"
        " VALUES (1, lower(hex(randomblob(8))), ?, 0, ?)",
        (created_ms, FORM),
    )


def another_epoch(connection: sqlite3.Connection) -> str:
    """A name for a log that no other has."""
    [(epoch,)] = connection.execute("SELECT lower(hex(randomblob(8)))")
    return str(epoch)


def name_anew(connection: sqlite3.Connection, epoch: str) -> None:
    """Give the log another epoch: clients that know the old one start over."""
    connection.execute("UPDATE meta SET epoch = ?", (epoch,))


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Take the steps from `version` to the current one, each wholly or not at all."""
    for step in range(version, CURRENT_VERSION):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in MIGRATIONS[step]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {step + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def version(connection: sqlite3.Connection) -> int:
    """How many of the steps this log has taken."""
    [(user_version,)] = connection.execute("PRAGMA user_version")
    return int(user_version)
