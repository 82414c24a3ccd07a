"""What each person's stream has to be: the log from `since`, in order, each message once; and what
the person has in the end is what the log has."""

from collections.abc import Iterator

import attrs

from tests.cluster.histories import Case, Changed, Joined, Left, Live, Page, Reread, Row, Stage


@attrs.define
class Sight:
    """What a person has of a room."""

    last: int | None = None  # the seq that came last; None where nothing has yet
    rows: dict[int, Row] = attrs.field(factory=dict)
    last_rev: int | None = None  # of the last change in this session

    def take(self, row: Row) -> None:
        """Of two forms of a message the one with the higher rev counts."""
        known = self.rows.get(row.seq)
        if known is None or row.rev >= known.rev:
            self.rows[row.seq] = row

    def change(self, note: Changed) -> None:
        row = self.rows.get(note.seq)
        if row is None or note.rev <= row.rev:
            return
        row = attrs.evolve(row, rev=note.rev)
        if note.stage is Stage.EDITED:
            row = attrs.evolve(row, stage=note.stage, content=note.content)
        elif note.stage is Stage.DELETED:
            row = attrs.evolve(row, stage=note.stage, content="", reactions=frozenset())
        elif note.reaction is not None:
            row = attrs.evolve(row, reactions=row.reactions | {note.reaction})
        self.rows[note.seq] = row


@attrs.define
class Reader:
    """Goes through the notes of one person, and says what is wrong with each."""

    user: str
    case: Case
    epoch: str | None = None
    node: str = "?"
    is_in: bool = False
    at_s: float = 0.0
    joined_s: float = 0.0
    sights: dict[str, Sight] = attrs.field(factory=dict)

    def where(self, room: str) -> str:
        """Who sees something there, and when."""
        times = f"{self.at_s:.1f} s, in since {self.joined_s:.1f} s"
        return f"{self.user} at {self.node}, {room}, {times}"

    def of(self, room: str) -> Sight:
        return self.sights.setdefault(room, Sight())

    def read(self) -> Iterator[str]:
        for note in self.case.notes[self.user]:
            match note:
                case Joined():
                    yield from self._join(note)
                case Left():
                    self.is_in = False
                case Page():
                    self.at_s = note.at_s
                    yield from self._page(note)
                case Live(room=room, row=row):
                    self.at_s = note.at_s
                    if note.is_replay:
                        yield from self._replay(room, row)
                    else:
                        yield from self._next(room, row, "live")
                case Changed():
                    self.at_s = note.at_s
                    yield from self._changed(note)
                case Reread(room=room, rows=rows):
                    for row in rows:
                        if row.seq in self.of(room).rows:
                            self.of(room).take(row)

    def _join(self, note: Joined) -> Iterator[str]:
        self.node, self.is_in = note.node, True
        self.at_s = self.joined_s = note.at_s
        if self.epoch not in (None, note.epoch):
            if self.case.is_epoch_kept:
                yield f"{self.where('all')}: epoch {note.epoch} after {self.epoch}"
            self.sights.clear()
        self.epoch = note.epoch
        for room, sight in self.sights.items():
            sight.last_rev = None
            if room not in note.since:  # it says that it has nothing
                self.sights[room] = Sight()

    def _page(self, page: Page) -> Iterator[str]:
        if page.is_reset:
            if self.case.is_epoch_kept:
                last = self.of(page.room).last
                yield f"{self.where(page.room)}: reset, having up to {last}"
            self.sights[page.room] = Sight()
        for row in page.rows:
            yield from self._next(page.room, row, "in a page")
        if page.rows == [] and self.of(page.room).last is None:
            self.of(page.room).last = 0  # an empty room

    def _next(self, room: str, row: Row, how: str) -> Iterator[str]:
        sight = self.of(room)
        is_first = sight.last is None and how != "live"
        if not is_first and row.seq != (sight.last or 0) + 1:
            yield f"{self.where(room)}: got {row.seq} {how} after {sight.last}"
        sight.last = row.seq
        yield from self._same(room, row)
        sight.take(row)

    def _replay(self, room: str, row: Row) -> Iterator[str]:
        sight = self.of(room)
        if row.seq > (sight.last or 0):
            yield f"{self.where(room)}: {row.seq} replayed after {sight.last}"
        yield from self._same(room, row)
        sight.take(row)

    def _changed(self, note: Changed) -> Iterator[str]:
        sight = self.of(note.room)
        if sight.last_rev is not None and note.rev != sight.last_rev + 1:
            yield (f"{self.where(note.room)}: change {note.rev} came after {sight.last_rev}")
        sight.last_rev = note.rev
        sight.change(note)

    def _same(self, room: str, row: Row) -> Iterator[str]:
        """The log has that message there; what was changed since shows there changed."""
        if self.epoch != self.case.epoch:
            return
        rows = self.case.log.get(room, ())
        if not 1 <= row.seq <= len(rows):
            yield f"{self.where(room)}: {row.seq} came and is not in the log"
            return
        stored = rows[row.seq - 1]
        if (stored.message_id, stored.user_id) != (row.message_id, row.user_id) or (
            stored.stage is row.stage and stored.content != row.content
        ):
            yield f"{self.where(room)}: {row} came, and the log has {stored}"


def streams(case: Case) -> Iterator[str]:
    """Each stream is the log: no hole, no swap, no repeat, up to the end."""
    for user in case.notes:
        reader = Reader(user, case)
        yield from reader.read()
        if not reader.is_in:
            continue
        if reader.epoch != case.epoch:
            yield f"{user} at {reader.node} has epoch {reader.epoch}, and the log {case.epoch}"
            continue
        for room, sight in reader.sights.items():
            last = len(case.log.get(room, ()))
            if sight.last != last:
                yield f"{user} at {reader.node}, {room}: has up to {sight.last} of {last}"


def views(case: Case) -> Iterator[str]:
    """What a person has of each message in the end is what the log has: edits, reactions."""
    for user in case.notes:
        reader = Reader(user, case)
        for _ in reader.read():
            pass
        if not reader.is_in or reader.epoch != case.epoch:
            continue
        for room, sight in reader.sights.items():
            stored = {row.seq: row for row in case.log.get(room, ())}
            for seq, row in sight.rows.items():
                if stored.get(seq) != row:
                    yield f"{user} at {reader.node}, {room}: has {row}, the log {stored.get(seq)}"
