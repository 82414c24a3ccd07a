"""Seeded mutation of real bytes, and the loop that feeds them to a target.

An input is made from the corpus and the number of its turn alone. So a failure names its turn, and
`mutated(corpus, turn)` makes the same bytes again. A change that leads further would be found by
chance only; what a plain loop is for is the fault one edit away from what peers really send.
"""

import random
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Final

ODD: Final[tuple[bytes, ...]] = (
    b"",
    b"\0",
    b"\x1e",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff" * 8,
    b"\xed\xa0\x80",  # a surrogate, as UTF-8 never has it
    b"-1",
    b"1e400",
    b"9" * 30,
    b"9" * 5000,
    b"NaN",
    b"[" * 2000,
    b'{"a":' * 2000,
    b"\\ud800",
    b'{"_placeholder":true,"num":0}',
    b'{"_placeholder":true,"num":-1}',
    b'"__proto__"',
    b"\r\n",
    b"\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
)
"""What has broken parsers."""

SLOW_S: Final = 1.0
"""Seconds of processor time for one input; it takes microseconds, other processes aside."""

GROWTH_BYTES: Final = 1_000_000
"""What a target may hold more at its end than after its first turns."""

WARM_TURNS: Final = 200
MEASURED_TURNS: Final = 200
BLOCK_TURNS: Final = 50

Target = Callable[[bytes, random.Random], None]


def mutated(corpus: Sequence[bytes], turn: int) -> tuple[bytes, random.Random]:
    """The input of a turn, and the chance that the target may use for its own choices."""
    chance = random.Random(turn)
    data = bytearray(chance.choice(corpus))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((0, 1, 1, 2, 4, 16, 64)))
        match chance.randrange(7):
            case 0:
                del data[at:end]
            case 1:
                data[at:end] = chance.choice(ODD)
            case 2:
                data[at:at] = chance.choice(ODD)
            case 3:
                data[at:end] = data[at:end] * chance.choice((2, 3, 50))
            case 4 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 5:
                data[at:end] = chance.randbytes(end - at)
            case _:
                other = chance.choice(corpus)
                cut = chance.randrange(len(other) + 1)
                data[at:end] = other[cut:]
    return bytes(data), chance


def pieces(data: bytes, chance: random.Random) -> list[bytes]:
    """The same bytes as several reads may bring them."""
    most = chance.choice((1, 3, 20, 1000, len(data) + 1))
    most = max(most, len(data) // 1000)  # a large input byte by byte would take all of the time
    cut: list[bytes] = []
    at = 0
    while at < len(data):
        size = chance.randint(1, most)
        cut.append(data[at : at + size])
        at += size
    return cut


def run(target: Target, corpus: Sequence[bytes], seconds: float) -> int:
    """Feed the target for so long; how many inputs that were. It raises for what must not be."""
    for seed in corpus:
        target(seed, random.Random(0))
    turn = 0
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        for _ in range(BLOCK_TURNS):
            feed(target, corpus, turn)
            turn += 1
    # The same turns once more, and again: what one of them leaves behind shows as growth.
    tracemalloc.start()
    try:
        for again in range(WARM_TURNS):
            feed(target, corpus, again)
        before, _ = tracemalloc.get_traced_memory()
        for again in range(MEASURED_TURNS):
            feed(target, corpus, again)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < GROWTH_BYTES, f"{after - before} bytes were left behind"
    assert peak < 50 * GROWTH_BYTES, f"{peak} bytes were held at once"
    return turn


def feed(target: Target, corpus: Sequence[bytes], turn: int) -> None:
    data, chance = mutated(corpus, turn)
    began_s = time.thread_time()
    try:
        target(data, chance)
    except Exception as error:
        error.add_note(f"turn {turn}: {data[:500]!r}")
        raise
    took_s = time.thread_time() - began_s
    assert took_s < SLOW_S, f"turn {turn} took {took_s:.2f} s: {data[:500]!r}"
