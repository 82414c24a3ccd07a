"""One broken row costs itself: it is told, in its place, and never what it said."""

import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from chatd.chat.commits import StoreReadFailed
from chatd.chat.queue import Gap, Queue, QueueCut
from chatd.chat.reading import Lack
from chatd.chat.records import Message
from chatd.store.damage import BROKEN, Damaged, text_or_broken, words_of
from chatd.store.errors import StoreDamaged
from chatd.store.log_file import LOG_NAME
from chatd.store.message_reader import KnownMessage
from chatd.store.opening import Store, open_store
from chatd.store.reader_pool import ReaderPool
from chatd.store.readers import LogReaders
from chatd.store.retention import Surplus, remove
from chatd.store.rows import message_from_row
from chatd.store.search_index import index_some
from chatd.store.verify import verify_store
from chatd.store.writer import LogWriter
from tests.chat.commands import message_id
from tests.store.full_store import asked, write_snapshot_of, write_to
from tests.store.logs import NOW_MS, ROOM, kept, search_for, stored

SECRET = "the secret words"
SEARCH = search_for("secret")
NO_TEXT = f"CAST(X'{SECRET.encode().hex()}FF' AS TEXT)"
BROKEN_ROWS = {
    "content": f"content = {NO_TEXT}",
    "name": f"name = {NO_TEXT}",
    "author": f"user_id = {NO_TEXT}",
    "context": f"context = X'{SECRET.encode().hex()}'",
    "context of no object": "context = X'5b5d'",
    "answer": f"answer = X'7b{SECRET.encode().hex()}'",
    "error of an answer": f"""answer = CAST('{{"error":{{"messagd":"{SECRET}"}}}}' AS BLOB)""",
    "words of an error": """answer = CAST('{"error":{"message":7}}' AS BLOB)""",
    "error that is none": """answer = CAST('{"error":[]}' AS BLOB)""",
    "id": "message_id = X'00'",
    "thread": "thread_id = X'00'",
}


class Heard:
    def __init__(self) -> None:
        self.rows: list[Damaged] = []
        self.failures: list[StoreReadFailed] = []

    def damaged(self, row: Damaged) -> None:
        self.rows.append(row)

    def read_failed(self, failure: StoreReadFailed) -> None:
        self.failures.append(failure)


@pytest.fixture
def heard(store: Store) -> Heard:
    heard = Heard()
    store.readers.witness = heard
    return heard


def harm(directory: Path, *statements: str) -> None:
    """What a disk may do to a file: no rule of the tables holds."""
    connection = sqlite3.connect(directory / LOG_NAME, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for statement in statements:
        connection.execute(statement)
    connection.close()


async def fill(writer: LogWriter, count: int) -> None:
    await writer.commit(
        [stored(n, content=f"{SECRET} {n}", message_id=message_id(n)) for n in range(1, count + 1)]
    )


async def whole_room(store: Store, **how: int | None) -> list[Message]:
    question = {"before": None, "after": None, "limit": 100, **how}
    page = await store.readers.page(ROOM, thread_id=None, **question)  # type: ignore[arg-type]
    return list(page.messages)


@pytest.mark.parametrize("what", BROKEN_ROWS)
async def test_a_broken_row_keeps_its_place_and_costs_no_other(
    store: Store, directory: Path, writer: LogWriter, heard: Heard, what: str
) -> None:
    await fill(writer, 9)
    harm(directory, f"UPDATE messages SET {BROKEN_ROWS[what]} WHERE seq = 5")
    for messages in (await whole_room(store), await whole_room(store, after=0)):
        assert [one.seq for one in messages] == list(range(1, 10))
        assert [one.seq for one in messages if one.is_damaged] == [5]
        damaged = messages[4]
        is_lost = what == "content"
        assert (damaged.content == f"{SECRET} 5") == (not is_lost)
        assert damaged.context is None
        assert damaged.answer is None
        assert (damaged.message_id == message_id(5)) == (what != "id")
    owed = await store.readers.owed(ROOM, [Gap(4, 6, 0)], 0, 10)
    assert [(one.seq, one.is_damaged) for one, _ in owed] == [(4, False), (5, True), (6, False)]
    assert set(heard.rows) == {Damaged("messages", ROOM, 5)}
    assert not heard.failures
    if what != "id":
        by_id = await store.readers.message(message_id(5))
        assert by_id is not None
        assert by_id.is_damaged
    assert len(await store.readers.undelivered(ROOM, "bob", 1, 9, 10)) >= 8
    # What is stored after it goes on, and finds the log as it is.
    await writer.commit([stored(10)])


async def test_a_message_of_unknown_id_is_found_by_the_one_it_was_shown_with(
    store: Store, directory: Path, writer: LogWriter
) -> None:
    await fill(writer, 3)
    harm(directory, "UPDATE messages SET message_id = CAST(seq || '' AS BLOB) WHERE seq < 3")
    pool = ReaderPool(store.path, 1)
    store.readers = LogReaders(pool, pool, writer.index_until, shown_damaged_max=1)
    first, second, _ = await whole_room(store)
    assert await store.readers.message(first.message_id) is None  # beyond what is remembered
    found = await store.readers.message(second.message_id, {ROOM})
    assert found is not None
    assert (found.seq, found.is_damaged) == (2, True)
    assert await store.readers.message(second.message_id, {"another room"}) is None
    await writer.maintain(lambda connection: remove(connection, [Surplus(ROOM, 3)]))
    assert await store.readers.message(second.message_id) is None


TYPES_CHANGED = (
    "UPDATE messages SET timestamp_ms = 'x' WHERE seq = 3",
    "UPDATE messages SET user_id = X'41' WHERE seq = 4",
    "UPDATE messages SET message_id = 7 WHERE seq = 5",
)


def harm_types(directory: Path, *statements: str) -> None:
    """A value may become one of another type, which the tables would not let in."""
    connection = sqlite3.connect(directory / LOG_NAME, isolation_level=None)
    strict = list(
        connection.execute("SELECT sql, name FROM sqlite_schema WHERE sql LIKE '%STRICT%'")
    )
    connection.execute("PRAGMA writable_schema = ON")
    for sql, name in strict:
        lax = sql.replace(", STRICT", "").replace("STRICT", "")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (lax, name))
    connection.close()
    harm(directory, *statements)
    connection = sqlite3.connect(directory / LOG_NAME, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    for both in strict:
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", both)
    connection.close()


async def test_a_value_of_another_type_costs_its_row_and_no_other(directory: Path) -> None:
    store = open_store(directory, "write")
    write_to(
        store,
        [stored(n, content=SECRET, message_id=message_id(n)) for n in range(1, 7)],
        asked(7),
        asked(8),
        [kept("ada", Queue(2, 5, (Gap(1, 1, 3),))), kept("bob", Queue(3, 5)), kept("eve")],
    )
    store.close()
    harm_types(
        directory,
        *TYPES_CHANGED,
        f"UPDATE answers SET answer_id = 7 WHERE opened_ms = {NOW_MS + 7}",
        "UPDATE members SET gaps = '[[1.5,1,3]]' WHERE user_id = 'ada'",
        "UPDATE members SET away_ms = 'x' WHERE user_id = 'bob'",
    )
    store = open_store(directory, "write")
    heard = Heard()
    store.readers.witness = heard
    damaged = [one.seq for one in await whole_room(store) if one.is_damaged]
    assert damaged == [3, 4, 5]
    cuts = await store.readers.newest_owed({ROOM: (Gap(1, 6, 0),)}, 100, NOW_MS)
    assert cuts == {ROOM: QueueCut(1, NOW_MS + 1)}
    cuts = await store.readers.newest_owed({ROOM: (Gap(1, 6, 0),)}, 4, NOW_MS)
    assert cuts == {ROOM: QueueCut(3, NOW_MS)}
    undelivered = await store.readers.undelivered(ROOM, "bob", 1, 6, 10)
    assert [one.seq for one in undelivered] == [1, 2, 3, 6]
    assert not heard.failures
    assert [one.opened_ms for one in store.recovered.open_answers] == [NOW_MS + 8]
    assert store.recovered.members[ROOM] == {
        "ada": Queue(2, 0, (), (1, 2)),
        "bob": Queue(3, 0, (), (1, 3)),
        "eve": Queue(),
    }
    assert {Damaged("answers", ROOM), Damaged("members", ROOM)} <= set(store.damaged)
    store.close()


async def test_a_read_that_meets_a_value_of_a_wrong_form_fails_as_damage(
    store: Store, writer: LogWriter, heard: Heard
) -> None:
    await fill(writer, 1)

    def question(connection: sqlite3.Connection) -> int:
        [(content,)] = connection.execute("SELECT content FROM messages")
        return int(content < 1)

    with pytest.raises(StoreReadFailed) as caught:
        await store.readers._pool.read(question)
    assert caught.value.is_damage
    assert SECRET not in str(caught.value)
    assert heard.failures == [caught.value]


def test_what_a_start_takes_for_damaged_does_verify_too(directory: Path) -> None:
    store = open_store(directory, "write")
    write_to(store, [stored(n) for n in range(1, 4)])
    store.close()
    harm(
        directory,
        "UPDATE messages SET context = X'5b5d' WHERE seq = 1",
        f"UPDATE messages SET {BROKEN_ROWS['error of an answer']} WHERE seq = 2",
    )
    found = [one.text for one in verify_store(directory).findings]
    assert [text for text in found if "position 1 has a context" in text]
    assert [text for text in found if "position 2 has an answer" in text]


async def test_ids_that_stand_in_are_the_same_each_time_and_all_different(
    store: Store, directory: Path, writer: LogWriter
) -> None:
    await fill(writer, 9)
    harm(
        directory,
        "DROP INDEX messages_by_id",
        "UPDATE messages SET message_id = X'00' WHERE seq > 5",
    )
    first, second = await whole_room(store), await whole_room(store, before=100)
    assert [one.message_id for one in first] == [one.message_id for one in second]
    assert len({one.message_id for one in first}) == 9


async def test_what_is_broken_is_not_searched_and_hides_nothing_from_the_search(
    store: Store, directory: Path, writer: LogWriter, heard: Heard
) -> None:
    await fill(writer, 4)
    await writer.maintain(lambda connection: index_some(connection, 3))
    harm(directory, f"UPDATE messages SET content = {NO_TEXT} WHERE seq IN (2, 4)")
    await writer.commit([stored(5, content=f"{SECRET} 5")])
    found = await store.readers.search(SEARCH, 10)
    # The second is in the index still, of which nobody can read what it was.
    assert {(hit.message.seq, hit.message.is_damaged) for hit in found.hits} == {
        (1, False),
        (2, True),
        (3, False),
        (5, False),
    }
    assert Damaged("messages", ROOM, 2) in heard.rows
    await writer.maintain(lambda connection: remove(connection, [Surplus(ROOM, 4)]))
    found = await store.readers.search(SEARCH, 10)
    assert [hit.message.seq for hit in found.hits] == [5]


def break_a_page_of_messages(path: Path) -> None:
    """Overwrite the head of a page in the middle of the table."""
    content = path.read_bytes()
    leaves = [
        at
        for at in range(4_096, len(content), 4_096)
        if content[at] == 13 and SECRET.encode() in content[at : at + 4_096]
    ]
    with path.open("r+b") as file:
        file.seek(leaves[len(leaves) // 2])
        file.write(b"\x5a" * 200)


@pytest.fixture
def broken_page(directory: Path) -> Path:
    store = open_store(directory, "write")
    thread = message_id(1)
    write_to(
        store,
        [
            stored(
                n,
                content=f"{SECRET} {n}" * 5,
                message_id=message_id(n),
                thread_id=thread if n % 3 == 0 else None,
            )
            for n in range(1, 401)
        ],
    )
    store.close()
    return directory


async def test_a_broken_page_of_the_file_costs_the_messages_in_it(broken_page: Path) -> None:
    store = open_store(broken_page, "write")
    heard = Heard()
    store.readers.witness = heard
    break_a_page_of_messages(store.path)
    met: list[Message] = []
    before: int | None = None
    while not met or met[0].seq > 1:
        met = await whole_room(store, before=before) + met
        before = met[0].seq
    assert [one.seq for one in met] == list(range(1, 401))
    lost = [one.seq for one in met if one.is_damaged]
    assert 0 < len(lost) < 100
    assert not heard.failures
    assert {row.seq for row in heard.rows} == set(lost)
    owed = await store.readers.owed(ROOM, [Gap(1, 400, 0)], lost[0] - 3, 6)
    assert [one.seq for one, _ in owed] == list(range(lost[0] - 2, lost[0] + 4))
    thread = await store.readers.page(
        ROOM, before=None, after=lost[0] - 10, limit=10, thread_id=message_id(1)
    )
    assert len(thread.messages) == 10
    assert any(one.is_damaged for one in thread.messages)
    # One that was shown is found by the id that it was shown with, and is nobody's to hear of.
    shown = next(one for one in met if one.is_damaged)
    found = await store.readers.message(shown.message_id)
    assert found is not None
    assert (found.seq, found.is_damaged) == (shown.seq, True)
    assert await store.readers.shown(shown.message_id, ROOM) == KnownMessage(found, False)
    assert await store.readers.shown(shown.message_id, "other") is None
    undelivered = await store.readers.undelivered(ROOM, "bob", lost[0] - 3, lost[-1] + 3, 500)
    assert {one.seq for one in undelivered} >= {lost[0] - 3, lost[-1] + 3}
    assert not {one.seq for one in undelivered} & set(lost)
    [stretch] = await store.readers.stretches([Lack(ROOM, 1, 400, 0)])
    assert set(stretch.by_author["ada"]) == set(range(1, 401)) - set(lost)
    # What cannot be found otherwise is not read, and said to be damage.
    with pytest.raises(StoreReadFailed) as caught:
        await store.readers.message(message_id(lost[0]))
    assert caught.value.is_damage
    assert heard.failures == [caught.value]
    store.close()


async def test_a_search_passes_over_what_lies_in_a_broken_page(directory: Path) -> None:
    store = open_store(directory, "write")
    heard = Heard()
    store.readers.witness = heard
    long = f"{SECRET} " + "x" * 20_000
    write_to(store, [stored(n, content=long if n == 2 else SECRET) for n in (1, 2, 3)])
    log = store.open_log()
    log.maintain(lambda connection: index_some(connection, 10))
    log.close()
    content = store.path.read_bytes()
    page = next(at for at in range(0, len(content), 4_096) if content[at + 4 : at + 9] == b"xxxxx")
    with store.path.open("r+b") as file:  # the next page of those that hold the long one
        file.seek(page)
        file.write(b"\x5a" * 4)
    found = await store.readers.search(SEARCH, 10)
    places = tuple(found.span() for found in re.finditer("secret", SECRET))
    assert [(hit.message.seq, hit.matches) for hit in found.hits] == [(3, places), (1, places)]
    assert (found.unreadable, found.cursor) == (1, None)
    assert heard.rows == [Damaged("messages")]
    assert not heard.failures
    # A page of hits ends before it, and the next one goes on behind it.
    first = await store.readers.search(SEARCH, 2)
    assert first.cursor is not None
    rest = await store.readers.search(SEARCH, 2, first.cursor)
    assert ([hit.message.seq for hit in rest.hits], rest.cursor) == ([1], None)
    store.close()


def test_a_start_serves_beside_broken_rows_and_tells_of_them(directory: Path) -> None:
    store = open_store(directory, "write")
    write_to(
        store,
        [stored(n, content=SECRET) for n in range(1, 4)],
        [kept("ada", Queue(2, 5, (Gap(1, 1, 3),))), kept("bob"), kept("eve")],
        asked(4),
        asked(5),
    )
    store.close()
    harm(
        directory,
        f"UPDATE messages SET content = {NO_TEXT} WHERE seq = 1",
        f"UPDATE members SET gaps = {NO_TEXT} WHERE user_id = 'ada'",
        f"UPDATE members SET user_id = {NO_TEXT} WHERE user_id = 'bob'",
        f"UPDATE answers SET user_id = {NO_TEXT} WHERE opened_ms = {NOW_MS + 4}",
    )
    store = open_store(directory, "write")
    assert set(store.damaged) == {
        Damaged("messages", ROOM, 1),
        Damaged("members", ROOM),
        Damaged("answers", ROOM),
    }
    # What it may have been owed is told to it as fallen out; the history has it.
    assert store.recovered.members[ROOM] == {"ada": Queue(2, 0, (), (1, 2)), "eve": Queue()}
    assert len(store.recovered.open_answers) == 1
    store.close()
    verified = verify_store(directory)
    assert not verified.is_sound
    assert not any(SECRET in finding.text for finding in verified.findings)


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE rooms SET connection_id = {NO_TEXT}",
        f"UPDATE meta SET epoch = {NO_TEXT}",
    ],
)
def test_a_start_that_nobody_could_be_served_after_says_so_without_a_word_of_a_row(
    directory: Path, statement: str
) -> None:
    store = open_store(directory, "write")
    write_to(store, [stored(1, content=SECRET), kept("ada")])
    store.close()
    harm(directory, statement)
    with pytest.raises(StoreDamaged) as caught:
        open_store(directory, "write")
    assert caught.value.exit_code == 74
    assert SECRET not in str(caught.value)


def test_a_snapshot_spares_the_start_a_broken_member(directory: Path) -> None:
    store = open_store(directory, "write")
    owed = Queue(2, 5, (Gap(1, 1, 3),))
    write_to(store, [stored(1), stored(2), kept("ada", owed)])
    write_snapshot_of(store)
    store.close()
    harm(directory, f"UPDATE members SET gaps = {NO_TEXT}")
    store = open_store(directory, "write")
    assert store.recovered.members[ROOM] == {"ada": owed}
    store.close()


def test_no_error_is_told_with_what_a_row_says() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (content TEXT CHECK (length(content) < 5)) STRICT")
    statements = (
        f"SELECT {NO_TEXT}",
        f"SELECT {SECRET.split()[0]}_nothing",
        f"INSERT INTO t VALUES ('{SECRET}')",
        f"SELECT json_extract('{SECRET}', '$')",
    )
    told = []
    for statement in statements:
        with pytest.raises(sqlite3.Error) as caught:
            connection.execute(statement).fetchall()
        told.append(words_of(caught.value))
    for error in (ValueError(SECRET), KeyError(SECRET), TypeError(SECRET)):
        told.append(words_of(error))
    assert not any("secret" in words or "the_nothing" in words for words in told)
    connection.close()
    assert text_or_broken(b"\xff") is BROKEN
    assert text_or_broken("ü".encode()) == "ü"


def test_a_row_that_does_not_say_where_it_belongs_is_no_message() -> None:
    row = (b"\0" * 16, ROOM, BROKEN, "ada", None, SECRET, None, None, 1, None, None)
    with pytest.raises(ValueError, match="where it belongs"):
        message_from_row(row)


def test_what_the_start_met_is_left_as_it_is(directory: Path, tmp_path: Path) -> None:
    store = open_store(directory, "write")
    write_to(store, [stored(1, content=SECRET)])
    store.close()
    harm(directory, f"UPDATE messages SET content = {NO_TEXT}")
    copy = shutil.copy(directory / LOG_NAME, tmp_path / "copy")
    open_store(directory, "write").close()
    assert (directory / LOG_NAME).read_bytes() == Path(copy).read_bytes()
