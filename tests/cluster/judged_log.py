"""What the log has to be: acknowledged once and as written, dense, and the same at all nodes."""

from collections import defaultdict
from collections.abc import Iterator

from tests.cluster.histories import (
    Acked,
    Case,
    ChangeAcked,
    Changing,
    Ended,
    Joined,
    Note,
    Reading,
    Refused,
    Row,
    Stage,
    Tried,
)


def of_log(case: Case) -> Iterator[tuple[str, Note]]:
    """What each user noted in sessions of this log: before another epoch, nothing counts."""
    for user, notes in case.notes.items():
        epoch = case.epoch
        for note in notes:
            if isinstance(note, Joined):
                epoch = note.epoch
            of = note.epoch if isinstance(note, Acked) else epoch
            if of == case.epoch or isinstance(note, Tried | Changing):
                yield user, note


def acknowledged(case: Case) -> Iterator[str]:
    """Acknowledged is stored, once, with that seq and content, in that room, by that user."""
    found: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    for room, rows in case.log.items():
        for row in rows:
            found[row.message_id].append((room, row))
    tried: dict[str, tuple[str, str, str]] = {}
    for user, note in of_log(case):
        if isinstance(note, Tried):
            tried[note.message_id] = (user, note.room, note.content)
        elif isinstance(note, Acked):
            places = [(room, row.seq) for room, row in found[note.message_id]]
            if places != [(note.room, note.seq)]:
                yield (
                    f"{user} was told that {note.message_id} is {note.seq} in {note.room}; "
                    f"it is stored at {places}"
                )
    for message_id, places_of in found.items():
        if len(places_of) > 1:
            yield f"{message_id} is stored more than once: {[row.seq for _, row in places_of]}"
        for room, row in places_of:
            if row.user_id.startswith("db:"):
                continue
            if message_id not in tried:
                yield f"{row.seq} in {room}: nobody sent {message_id}"
                continue
            user, meant, content = tried[message_id]
            if (user, meant) != (row.user_id, room):
                yield f"{message_id} of {user} in {meant} is of {row.user_id} in {room}"
            if row.stage is Stage.WRITTEN and row.content != content:
                yield f"{row.seq} in {room} is {row.content!r}, and {content!r} was written"


def dense(case: Case) -> Iterator[str]:
    """The seqs of a room are 1, 2, 3, ..., and all nodes show the same rows."""
    for node, log in case.logs.items():
        for room, rows in log.items():
            for expected, row in enumerate(rows, 1):
                if row.seq != expected:
                    yield f"{room} at {node}: {row.seq} stands where {expected} has to"
                    break
    for node, log in case.logs.items():
        for room, rows in case.log.items():
            for ours, theirs in zip(rows, log[room], strict=False):
                if ours != theirs:
                    yield f"{room} at {node}: {theirs}, and elsewhere {ours}"
            if len(rows) != len(log[room]):
                yield f"{room} at {node} has {len(log[room])} rows, and elsewhere {len(rows)}"


def changes(case: Case) -> Iterator[str]:
    """A change that was acknowledged shows in the log; one that nobody asked for does not."""
    asked: dict[str, list[tuple[str, Changing]]] = defaultdict(list)
    acked: dict[str, list[tuple[str, ChangeAcked]]] = defaultdict(list)
    for user, note in of_log(case):
        if isinstance(note, Changing):
            asked[note.message_id].append((user, note))
        elif isinstance(note, ChangeAcked):
            acked[note.message_id].append((user, note))
    for room, rows in case.log.items():
        for row in rows:
            mine, told = asked[row.message_id], acked[row.message_id]
            most = max((one.stage for _, one in mine if one.stage is not None), default=0)
            least = max((one.stage for _, one in told if one.stage is not None), default=0)
            if not least <= row.stage <= most:
                yield f"{row.seq} in {room} is {row.stage.name}; {Stage(least).name} was acked"
            contents = {one.content for _, one in mine if one.stage is Stage.EDITED}
            if row.stage is Stage.EDITED and row.content not in contents:
                yield f"{row.seq} in {room} is {row.content!r}, which is no edit of it"
            if row.stage is Stage.DELETED:
                if row.content or row.reactions:
                    yield f"{row.seq} in {room} was deleted and has {row.content!r}"
                continue
            wanted = {(one.reaction, user) for user, one in mine if one.reaction}
            kept = {(one.reaction, user) for user, one in told if one.reaction}
            if not kept <= row.reactions <= wanted:
                yield f"{row.seq} in {room} has {set(row.reactions)}; {kept} was acknowledged"


def questions(case: Case) -> Iterator[str]:
    """A question has one end and one final message, and everybody is told that one."""
    finals: dict[str, list[Row]] = defaultdict(list)
    for rows in case.log.values():
        for row in rows:
            if row.reply_to:
                finals[row.reply_to].append(row)
    for question_id, rows in finals.items():
        if len(rows) > 1:
            yield f"question {question_id} has {len(rows)} ends, at {[row.seq for row in rows]}"
    for user, note in of_log(case):
        if isinstance(note, Acked) and note.is_question and not finals[note.message_id]:
            yield f"question {note.message_id} of {user}, {note.seq} in {note.room}, has no end"
        elif isinstance(note, Ended):
            ends = {(row.message_id, row.state) for row in finals[note.question_id]}
            if (note.answer_id, note.state) not in ends:
                yield (
                    f"{user} was told that question {note.question_id} ended {note.state} as "
                    f"{note.answer_id}; the log has {ends}"
                )


def markers(case: Case) -> Iterator[str]:
    """A marker that was acknowledged stands at least there, and all nodes say the same."""
    acked: dict[tuple[str, str], int] = defaultdict(int)
    for user, note in of_log(case):
        if isinstance(note, Reading) and note.is_acked:
            acked[user, note.room] = max(acked[user, note.room], note.seq)
    said: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for marker in case.markers:
        said[marker.user_id, marker.room][marker.node] = marker.read_seq
    for (user, room), by_node in said.items():
        if len(set(by_node.values())) > 1:
            yield f"{user} has read {room} up to, by node: {by_node}"
        if min(by_node.values()) < acked[user, room]:
            yield f"{user} was told that {room} is read up to {acked[user, room]}: {by_node}"


def refusals(case: Case) -> Iterator[str]:
    """Nothing that people here do is refused for good."""
    for user, notes in case.notes.items():
        for note in notes:
            if isinstance(note, Refused):
                yield f"{user} was refused {note.event}: {note.code}, at {note.at_s:.1f} s"


def crashes(case: Case) -> Iterator[str]:
    """No part of a node has crashed: faults are met, not suffered."""
    yield from case.crashes
