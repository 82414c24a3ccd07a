"""A process that commits until it is killed, and prints each line only after its commit.

Lines are `room seq message_id`. Run with the state directory and the durability.
"""

import functools
import os
import sys
import uuid
from pathlib import Path

import trio

from chatd.chat.commits import Committed
from chatd.chat.records import Message, MessageStored
from chatd.store.opening import open_store
from chatd.store.writer import LogWriter


async def fill_room(writer: LogWriter, room: str, last_seq: int, batch: int) -> None:
    while True:
        messages = [
            Message(str(uuid.uuid4()), room, seq, "ada", None, "x" * 500, None, None, seq)
            for seq in range(last_seq + 1, last_seq + 1 + batch)
        ]
        outcome = await writer.commit([MessageStored(message) for message in messages])
        assert isinstance(outcome, Committed)
        last_seq += batch
        lines = "".join(f"{room} {m.seq} {m.message_id}\n" for m in messages)
        os.write(sys.stdout.fileno(), lines.encode("ascii"))


async def main(directory: Path, durability: str) -> None:
    store = open_store(directory, durability)
    writer = store.start_writer(trio.lowlevel.current_trio_token())
    async with trio.open_nursery() as nursery:
        for batch in (1, 3, 10):
            room = f"by-{batch}"
            last_seq = store.recovered.rooms.get(room, 0)
            nursery.start_soon(functools.partial(fill_room, writer, room, last_seq, batch))


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), sys.argv[2])
