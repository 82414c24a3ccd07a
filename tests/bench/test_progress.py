"""The bar on a terminal."""

import io

import pytest
import trio

from chatd.bench.progress import EVERY_S, Progress, bar


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "    "), (0.5, "██  "), (1, "████"), (0.125, "▌   "), (7, "████"), (-1, "    ")],
)
def test_a_bar_is_as_full_as_its_share(share: float, shown: str) -> None:
    assert bar(share, 4) == shown


async def drawn(*, is_terminal: bool, seconds: float) -> str:
    stream = io.StringIO()
    progress = Progress(stream, is_terminal=is_terminal)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(progress.draw)
        await trio.sleep(EVERY_S * 1.5)  # nothing is done yet
        with progress.step("it goes on", seconds):
            await trio.sleep(EVERY_S * 3)
        progress.tell("That was it.")
        nursery.cancel_scope.cancel()
    return stream.getvalue()


async def test_a_terminal_sees_the_bar_grow_and_go(autojump_clock: object) -> None:
    shown = await drawn(is_terminal=True, seconds=EVERY_S * 4)
    frames = shown.split("\r\x1b[K")
    assert frames[1].endswith(" it goes on")
    assert frames[3].count("█") > frames[2].count("█") > 0
    assert frames[-1] == "That was it.\n"
    assert (await drawn(is_terminal=True, seconds=0)).count("█") > 0


async def test_what_is_no_terminal_sees_sentences_alone(autojump_clock: object) -> None:
    assert await drawn(is_terminal=False, seconds=1) == "That was it.\n"
