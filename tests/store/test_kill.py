"""What was acknowledged survives `kill -9` at any instant."""

import subprocess
import sys
from pathlib import Path

import pytest

from chatd.store.opening import open_store
from chatd.store.readers import LogReaders

LINES_BEFORE_THE_KILL = (1, 300, 2_500, 7_000)  # the later ones are beyond a checkpoint


@pytest.mark.parametrize("durability", ["fsync", "write"])
async def test_what_was_acknowledged_survives_a_kill_at_any_instant(
    directory: Path, durability: str
) -> None:
    acknowledged: dict[str, dict[int, str]] = {}
    epochs = set()
    for lines_wanted in LINES_BEFORE_THE_KILL:
        for line in lines_until_killed(directory, durability, lines_wanted):
            room, seq, message_id = line.split()
            assert acknowledged.setdefault(room, {}).setdefault(int(seq), message_id) == message_id

        store = open_store(directory, durability)
        epochs.add(store.epoch)
        assert acknowledged.keys() <= store.recovered.rooms.keys()
        for room in store.recovered.rooms:
            found = await whole_room(store.readers, room)
            assert list(found) == list(range(1, len(found) + 1))
            assert acknowledged.get(room, {}).items() <= found.items()
            assert store.recovered.rooms[room] == len(found)
            acknowledged[room] = found  # stored, and never told of: it keeps its place from now on
        assert store.recovered.position == store.recovered.message_count
        assert store.recovered.message_count == sum(map(len, acknowledged.values()))
        assert store.close()
    assert len(epochs) == 1


def lines_until_killed(directory: Path, durability: str, wanted: int) -> list[str]:
    """What the child printed up to its end, which comes once `wanted` lines were seen."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.store.committing_child", str(directory), durability],
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        lines = []
        for line in child.stdout:
            lines.append(line)
            if len(lines) == wanted:
                child.kill()
        assert child.wait() == -9
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    return lines


async def whole_room(readers: LogReaders, room: str) -> dict[int, str]:
    found: dict[int, str] = {}
    more = True
    while more:
        page = await readers.page(room, before=None, after=len(found), limit=500, thread_id=None)
        found.update((message.seq, message.message_id) for message in page.messages)
        more = page.has_more
    return found
