"""A history in memory, which keeps the contract of `MessageReader` as the one in SQLite does."""

import itertools
import unicodedata
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

import attrs
import orjson
import trio

from chatd.chat.ids import scoped_id, written_id
from chatd.chat.queue import Gap, QueueCut
from chatd.chat.reading import MENTIONING_MAX, Lack, Mentioning, Stretch, seqs_of
from chatd.chat.records import (
    AnswerClosed,
    AnswerOpened,
    Change,
    Delivered,
    Message,
    MessageDeleted,
    MessageEdited,
    MessagePlace,
    MessageRead,
    MessageStored,
    OpenAnswer,
    ReactionChanged,
    Record,
)
from chatd.chat.search import SearchTerm
from chatd.chat.steady_time import PLAUSIBLE_FROM_MS
from chatd.store.message_reader import (
    KnownMessage,
    MessageReader,
    Page,
    Replies,
    SearchCursor,
    SearchHit,
    SearchPage,
    SearchRequest,
    StoredAnswer,
    require_page,
)
from chatd.store.pages import PAGE_BYTES, content_bytes
from chatd.store.rows import uuid_bytes
from chatd.store.search import LENGTHS_WORDS

_UNSPACED = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")
_BREAK = "/"  # between characters of these scripts that are not next to each other


class MemoryReader(MessageReader):
    def __init__(self, records: Iterable[Record] = (), *, page_bytes: int = PAGE_BYTES) -> None:
        self.page_bytes = page_bytes
        self._position = 0
        self._messages: dict[int, Message] = {}  # by position
        self._delivered: set[tuple[str, int]] = set()
        self._first: dict[int, Message] = {}  # as they were first written
        self._last_seqs: dict[str, int] = {}
        self._last_revs: dict[str, int] = {}
        self._changes: list[Change] = []
        self._open: dict[str, OpenAnswer] = {}
        self._answers: dict[str, StoredAnswer] = {}
        self.add(records)

    def add(self, records: Iterable[Record]) -> None:
        for record in records:
            self._position += 1
            match record:
                case MessageStored(message):
                    self._messages[self._position] = message
                    self._first[self._position] = message
                    self._last_seqs[message.connection_id] = message.seq
                case MessageEdited(message) | MessageDeleted(message) | ReactionChanged(message):
                    place = message.connection_id, message.seq
                    [position] = [
                        position
                        for position, one in self._messages.items()
                        if (one.connection_id, one.seq) == place
                    ]
                    self._messages[position] = message
                    self._last_revs[message.connection_id] = message.rev
                    self._changes.append(record)
                case Delivered(connection_id, seq):
                    self._delivered.add((connection_id, seq))
                case AnswerOpened(one):
                    self._open[one.question_id] = one
                    self._answers[one.question_id] = StoredAnswer(
                        one.answer_id, one.connection_id, one.user_id, None
                    )
                case MessageRead(question_id=question_id, is_question=is_question):
                    if is_question:
                        self._open[question_id] = attrs.evolve(
                            self._open[question_id], is_to_read=False
                        )
                    elif self._open[question_id].is_to_read:
                        del self._answers[question_id]
                case AnswerClosed(question_id=question_id, answer_id=answer_id, state=state):
                    self._open.pop(question_id)
                    self._answers[question_id] = attrs.evolve(
                        self._answers[question_id], answer_id=answer_id, state=state
                    )

    def remove(self, connection_id: str, first_kept: int) -> None:
        for position, one in list(self._messages.items()):
            if one.connection_id == connection_id and one.seq < first_kept:
                del self._messages[position], self._first[position]
                self._answers.pop(one.message_id, None)

    async def page(
        self,
        connection_id: str,
        *,
        before: int | None,
        after: int | None,
        limit: int,
        thread_id: str | None,
        answer_rows: int | None = None,
    ) -> Page:
        require_page(limit, before, after)
        if thread_id is not None:
            uuid_bytes(thread_id)
        await trio.lowlevel.checkpoint()
        room = self._room(connection_id)
        inside = [
            cut(one, answer_rows)
            for one in room
            if (thread_id is None or one.thread_id == thread_id)
            and (before is None or one.seq < before)
            and (after is None or one.seq > after)
        ]
        nearest = inside if after is not None else inside[::-1]
        found = self._fitting(nearest, limit)
        return Page(
            tuple(sorted(found, key=lambda one: one.seq)),
            len(found) < len(nearest),
            room[0].seq if room else 0,
            self._last_seqs.get(connection_id, 0),
            frozenset(one.seq for one in found if self._is_delivered(one)),
            self._last_revs.get(connection_id, 0),
            {one.seq: told for one in found if (told := self._replies(one)) is not None},
            None if thread_id is None else self._opener(thread_id, connection_id, answer_rows),
        )

    async def changed(
        self, connection_id: str, after_rev: int, limit: int, answer_rows: int | None = None
    ) -> Page:
        require_page(limit)
        await trio.lowlevel.checkpoint()
        room = self._room(connection_id)
        changed = [cut(one, answer_rows) for one in room if one.rev > after_rev]
        changed.sort(key=lambda one: one.rev)
        found = self._fitting(changed, limit)
        return Page(
            tuple(found),
            len(found) < len(changed),
            room[0].seq if room else 0,
            self._last_seqs.get(connection_id, 0),
            frozenset(one.seq for one in found if self._is_delivered(one)),
            self._last_revs.get(connection_id, 0),
            {one.seq: told for one in found if (told := self._replies(one)) is not None},
        )

    async def changes(
        self, connection_id: str, after_rev: int, up_to_rev: int
    ) -> tuple[Change, ...]:
        await trio.lowlevel.checkpoint()
        now = {one.seq: one for one in self._room(connection_id)}
        found: list[Change] = []
        for one in self._changes:
            seq, room = one.message.seq, one.message.connection_id
            if room != connection_id or seq not in now or not after_rev < one.rev <= up_to_rev:
                continue
            if isinstance(one, MessageEdited):
                assert now[seq].changes is not None
                changes = attrs.evolve(
                    now[seq].changes, rev=one.rev, edited_ms=one.at_ms, deleted_ms=None
                )
                message = attrs.evolve(now[seq], content=one.message.content, changes=changes)
                found.append(attrs.evolve(one, message=message))
            else:
                found.append(attrs.evolve(one, message=now[seq]))
        return tuple(found)

    async def written(self, message_id: str, rooms: Container[str] | None = None) -> Message | None:
        await trio.lowlevel.checkpoint()
        return self._find(message_id, rooms, self._first.values())

    async def message(self, message_id: str, rooms: Container[str] | None = None) -> Message | None:
        await trio.lowlevel.checkpoint()
        return self._find(message_id, rooms, self._messages.values())

    def _find(
        self, message_id: str, rooms: Container[str] | None, messages: Iterable[Message]
    ) -> Message | None:
        by_id = {one.message_id: one for one in messages}
        found = (by_id[one] for one in _with_scopes(message_id, by_id))
        return next((one for one in found if rooms is None or one.connection_id in rooms), None)

    async def shown(
        self, message_id: str, connection_id: str, answer_rows: int | None = None
    ) -> KnownMessage | None:
        found = await self.message(message_id, (connection_id,))
        return None if found is None else self._known(found, answer_rows)

    def _opener(
        self, thread_id: str, connection_id: str, answer_rows: int | None
    ) -> KnownMessage | None:
        openers = (thread_id, scoped_id(thread_id, connection_id))
        return next(
            (
                self._known(one, answer_rows)
                for one in self._room(connection_id)
                if one.message_id in openers and one.thread_id is None
            ),
            None,
        )

    def _known(self, one: Message, answer_rows: int | None) -> KnownMessage:
        return KnownMessage(cut(one, answer_rows), self._is_delivered(one), self._replies(one))

    def _replies(self, opener: Message) -> Replies | None:
        if opener.thread_id is not None:
            return None
        written = written_id(opener.message_id)
        room = self._room(opener.connection_id)
        newest = [(one.seq, one.user_id) for one in room[::-1] if one.thread_id == written]
        return Replies.of(len(newest), newest) if newest else None

    async def has_thread(self, connection_id: str, thread_id: str) -> bool:
        uuid_bytes(thread_id)
        await trio.lowlevel.checkpoint()
        openers = (thread_id, scoped_id(thread_id, connection_id))
        return any(
            one.thread_id == thread_id or (one.thread_id is None and one.message_id in openers)
            for one in self._room(connection_id)
        )

    async def answer_to(
        self, question_id: str, rooms: Container[str] | None = None
    ) -> StoredAnswer | None:
        await trio.lowlevel.checkpoint()
        found = (self._answers[one] for one in _with_scopes(question_id, self._answers))
        return next((one for one in found if rooms is None or one.connection_id in rooms), None)

    async def owed(
        self,
        connection_id: str,
        gaps: Sequence[Gap],
        after_seq: int,
        limit: int,
        answer_rows: int | None = None,
    ) -> tuple[tuple[Message, bool], ...]:
        await trio.lowlevel.checkpoint()
        room = [cut(one, answer_rows) for one in self._room(connection_id)]
        owed = [one for one in room if _is_in(gaps, one.seq)]
        above = [one for one in owed if one.seq > after_seq]
        return tuple((one, self._is_delivered(one)) for one in self._fitting(above, limit))

    async def undelivered(
        self, connection_id: str, user_id: str, first_seq: int, last_seq: int, limit: int
    ) -> tuple[MessagePlace, ...]:
        await trio.lowlevel.checkpoint()
        found = [
            MessagePlace(one.message_id, connection_id, one.seq, one.user_id)
            for one in self._room(connection_id)
            if first_seq <= one.seq <= last_seq
            and one.user_id != user_id
            and not self._is_delivered(one)
        ]
        return tuple(found[-limit:])

    async def stretches(self, lacks: Sequence[Lack]) -> tuple[Stretch, ...]:
        await trio.lowlevel.checkpoint()
        return tuple(map(self._stretch, lacks))

    def _stretch(self, lack: Lack) -> Stretch:
        room = self._room(lack.connection_id)
        inside = [one for one in room if lack.first_seq <= one.seq <= lack.last_seq]
        authors = {one.user_id for one in inside if not one.is_deleted}
        last_seq = self._last_seqs.get(lack.connection_id, 0)
        return Stretch(
            {
                author: seqs_of(
                    one.seq for one in inside if one.user_id == author and not one.is_deleted
                )
                for author in authors
            },
            seqs_of(one.seq for one in inside if one.is_deleted),
            room[0].seq if room else last_seq + 1,
            [Mentioning(one.seq, one.user_id, one.mentions) for one in room if one.mentions][
                -MENTIONING_MAX:
            ],
        )

    async def newest_owed(
        self, owed: Mapping[str, Sequence[Gap]], most: int, oldest_ms: int
    ) -> dict[str, QueueCut]:
        await trio.lowlevel.checkpoint()
        cuts = {room: QueueCut(gaps[-1].last + 1, oldest_ms) for room, gaps in owed.items() if gaps}
        ended: set[str] = set()  # rooms, at a message that is too old
        for _, one in sorted(self._messages.items(), reverse=True):
            room = one.connection_id
            if room in ended or not _is_in(owed.get(room, ()), one.seq):
                continue
            if PLAUSIBLE_FROM_MS <= one.timestamp_ms < oldest_ms:
                ended.add(room)
            elif most > 0:
                cuts[room], most = QueueCut(one.seq, one.timestamp_ms), most - 1
        return cuts

    async def search(
        self,
        request: SearchRequest,
        limit: int,
        cursor: SearchCursor | None = None,
        answer_rows: int | None = None,
    ) -> SearchPage:
        await trio.lowlevel.checkpoint()
        begin = cursor or SearchCursor(self._position, -1, 0)
        found: list[tuple[int, int, SearchHit]] = []
        for position, one in self._messages.items():
            words = _words(one.content)
            length = sum(len(words) > most for most in LENGTHS_WORDS)
            is_behind = length > begin.length or (
                length == begin.length and position < begin.position
            )
            if (
                not one.is_deleted
                and position <= begin.newest
                and is_behind
                and one.connection_id in request.rooms
                and request.user_id in (None, one.user_id)
                and (request.before_ms is None or one.timestamp_ms < request.before_ms)
                and (request.after_ms is None or one.timestamp_ms > request.after_ms)
                and all(_spans(term, words) for term in request.query.required)
                and not any(_spans(term, words) for term in request.query.excluded)
            ):
                spans = {span for term in request.query.required for span in _spans(term, words)}
                shown = self._known(one, answer_rows)
                hit = SearchHit(
                    shown.message, shown.is_delivered, tuple(_merged(spans)), shown.replies
                )
                found.append((length, -position, hit))
        found.sort(key=lambda one: one[:2])
        count = len(self._fitting([hit.message for _, _, hit in found], limit))
        hits = tuple(hit for _, _, hit in found[:count])
        if count == len(found):
            return SearchPage(hits, None)
        length, position, _ = found[count - 1]
        return SearchPage(hits, SearchCursor(begin.newest, length, -position))

    def _room(self, connection_id: str) -> list[Message]:
        return [one for one in self._messages.values() if one.connection_id == connection_id]

    def _is_delivered(self, one: Message) -> bool:
        return (one.connection_id, one.seq) in self._delivered

    def _fitting(self, messages: Sequence[Message], limit: int) -> list[Message]:
        found: list[Message] = []
        size = 0
        for one in messages[:limit]:
            size += content_bytes(one)
            if found and size > self.page_bytes:
                break
            found.append(one)
        return found


def cut(one: Message, answer_rows: int | None) -> Message:
    """The message with so many rows in its answer."""
    if one.answer is None or answer_rows is None:
        return one
    answer = orjson.loads(one.answer)
    rows = answer.get("rows", [])
    if not isinstance(rows, list) or len(rows) <= answer_rows:
        return one
    answer |= {"rows": rows[:answer_rows], "rowsOmitted": len(rows) - answer_rows}
    return attrs.evolve(one, answer=orjson.dumps(answer))


def _with_scopes(message_id: str, known: Iterable[str]) -> list[str]:
    """The ids among the known ones that are this one, without a scope or with one."""
    uuid_bytes(message_id)
    return sorted(one for one in known if one == message_id or one.startswith(f"{message_id}/"))


def _is_in(gaps: Sequence[Gap], seq: int) -> bool:
    return any(gap.first <= seq <= gap.last for gap in gaps)


def _words(text: str) -> list[tuple[str, int, int]]:
    """The words of a text without case and accents, and where each is in it; of scripts without
    spaces, each character is one."""
    words: list[tuple[str, int, int]] = []
    for is_word, group in itertools.groupby(enumerate(text), lambda one: _is_in_word(one[1])):
        characters = list(group)
        if not is_word:
            continue
        for is_unspaced, part in itertools.groupby(characters, lambda one: _is_unspaced(one[1])):
            word = list(part)
            at = word[0][0]
            if not is_unspaced:
                words.append((_folded("".join(one for _, one in word)), at, at + len(word)))
                continue
            if words and _is_unspaced(words[-1][0]):
                words.append((_BREAK, at, at))
            words += [(one, place, place + 1) for place, one in word]
    return words


def _is_in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def _is_unspaced(character: str) -> bool:
    return unicodedata.name(character[0], "").startswith(_UNSPACED)


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if merged and low < merged[-1][1]:
            low, high = merged[-1][0], max(high, merged.pop()[1])
        merged.append((low, high))
    return merged


def _folded(word: str) -> str:
    parts = unicodedata.normalize("NFD", word.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


def _spans(term: SearchTerm, words: Sequence[tuple[str, int, int]]) -> list[tuple[int, int]]:
    return list(_occurrences([word for word, _, _ in _words(term.text)], term.is_prefix, words))


def _occurrences(
    wanted: Sequence[str], is_prefix: bool, words: Sequence[tuple[str, int, int]]
) -> Iterator[tuple[int, int]]:
    for at in range(len(words) - len(wanted) + 1):
        there = words[at : at + len(wanted)]
        *whole, last = [word for word, _, _ in there]
        if whole == list(wanted[:-1]) and (
            last.startswith(wanted[-1]) if is_prefix else last == wanted[-1]
        ):
            yield there[0][1], there[-1][2]
