"""Rows that are kept for as long as a client takes to read them: as JSON, of which a few at a time
become objects.

A row of short cells takes fifteen times as much memory as objects as it does as JSON, and a client
that reads slowly decides for how long.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import attrs
import orjson

from chatd.answers.table import Row

BLOCK_BYTES: Final = 8_192
"""Bytes of rows that become objects together; a longer row does so alone."""


@attrs.frozen
class PackedRows:
    """Rows, which can be read any number of times. Their cells are such as JSON gives back as they
    were."""

    _blocks: tuple[bytes, ...]
    _count: int

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "PackedRows":
        blocks: list[bytes] = []
        waiting: list[bytes] = []
        waiting_bytes = count = 0
        for row in rows:
            packed = orjson.dumps(row)
            if waiting and waiting_bytes + len(packed) > BLOCK_BYTES:
                blocks.append(_block(waiting))
                waiting, waiting_bytes = [], 0
            waiting.append(packed)
            waiting_bytes += len(packed)
            count += 1
        if waiting:
            blocks.append(_block(waiting))
        return cls(tuple(blocks), count)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        for rows in self.blocks():
            yield from rows

    def blocks(self) -> Iterator[list[Row]]:
        """The rows, some at a time."""
        for block in self._blocks:
            rows: list[Row] = orjson.loads(block)
            yield rows

    @property
    def size_bytes(self) -> int:
        """What they take."""
        return sum(map(len, self._blocks))


def _block(packed: list[bytes]) -> bytes:
    return b"[" + b",".join(packed) + b"]"
