"""Checks are asked one by one, each in a bounded time, and none ends the others."""

import threading
from pathlib import Path

import trio
from trio.testing import MockClock

from chatd.app.deep.check import DeepCheck, Found, Surroundings, Verdict, ask_each, fine, in_thread
from chatd.config import ConfigError
from tests.app.deep.surroundings import here


async def _well(surroundings: Surroundings) -> Found:
    return fine("It is.")


async def _nothing(surroundings: Surroundings) -> None:
    return None


async def _never(surroundings: Surroundings) -> Found:
    await trio.sleep_forever()
    raise AssertionError


async def _refused(surroundings: Surroundings) -> Found:
    raise PermissionError(13, "Permission denied", "/a\nb")


async def _misled(surroundings: Surroundings) -> Found:
    raise ConfigError("no directory for state is known.")


async def test_each_check_has_its_line_whatever_the_others_do(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    checks = [
        DeepCheck(look.__name__, look) for look in (_never, _nothing, _refused, _misled, _well)
    ]
    found = await ask_each(checks, here(tmp_path))
    assert found == [
        ("_never", Found(Verdict.WRONG, "There was no answer within 10 s.", 1)),
        ("_refused", Found(Verdict.WRONG, '"/a\\nb": Permission denied.', 1)),
        ("_misled", Found(Verdict.WRONG, "no directory for state is known.", 78)),
        ("_well", Found(Verdict.FINE, "It is.", 0)),
    ]


async def test_what_blocks_is_asked_in_a_thread(tmp_path: Path) -> None:
    def look(surroundings: Surroundings) -> Found:
        return fine(threading.current_thread().name)

    ((_, found),) = await ask_each([DeepCheck("a", in_thread(look))], here(tmp_path))
    assert found.sentence != threading.current_thread().name
