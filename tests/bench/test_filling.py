"""A long history is a log like any other."""

from pathlib import Path

import pytest

from chatd.bench.filling import BATCH, fill
from chatd.store import StoreLocked, open_store, verify_store
from tests.store.logs import search_for

ROOM = "history"
NOW_MS = 1_700_000_000_000


def test_a_filled_log_is_whole_and_holds_what_was_asked_for(tmp_path: Path) -> None:
    told: list[int] = []
    fill(tmp_path, ROOM, BATCH + 5, NOW_MS, told.append)
    assert told == [BATCH, BATCH + 5]
    verified = verify_store(tmp_path)
    assert verified.is_sound
    assert verified.recovered is not None
    assert verified.recovered.message_count == BATCH + 5


def test_a_log_is_filled_further(tmp_path: Path) -> None:
    fill(tmp_path, ROOM, 10, NOW_MS)
    fill(tmp_path, ROOM, 30, NOW_MS + 1000)
    fill(tmp_path, ROOM, 20, NOW_MS + 2000)
    store = open_store(tmp_path, "write")
    assert store.recovered.rooms == {ROOM: 30}
    assert store.recovered.newest_ms == NOW_MS + 1000
    store.close()


async def test_what_was_filled_is_found_by_a_search(tmp_path: Path) -> None:
    fill(tmp_path, ROOM, 30, NOW_MS)
    store = open_store(tmp_path, "write")
    page = await store.readers.search(search_for("history", [ROOM]), 50)
    assert len(page.hits) == 30
    store.close()


def test_a_log_that_a_daemon_uses_is_left_alone(tmp_path: Path) -> None:
    store = open_store(tmp_path, "write")
    with pytest.raises(StoreLocked):
        fill(tmp_path, ROOM, 10, NOW_MS)
    assert store.reread().message_count == 0
    store.close()
