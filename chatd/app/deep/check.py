"""A check with a name, and how several are run: one after the other, each in a bounded time.

To add one, write a coroutine that takes `Surroundings` and returns a `Found`, and list it in
`chatd.app.deep.checks`. It may wait as long as it likes: it is cut off. Code that blocks belongs in
a thread (`in_thread`). It leaves nothing behind, and its sentences hold no secret.
"""

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import trio

from chatd.app.errors import EXIT_CONFIG, EXIT_FAILURE
from chatd.config import Config, ConfigError, shown_path
from chatd.observe.clock import Clock

WITHIN_S: Final = 10.0
"""Seconds for a check: a disk or a server that takes longer makes people wait too."""


@attrs.frozen
class Surroundings:
    """What is looked at, and where it is looked at from."""

    config: Config
    environment: Mapping[str, str]
    cwd: Path
    clock: Clock


class Verdict(enum.StrEnum):
    """A verdict as it is printed. A daemon can run with what is doubtful."""

    FINE = "fine"
    DOUBTFUL = "doubtful"
    WRONG = "wrong"


@attrs.frozen
class Found:
    """What a check found, in a sentence; if something is wrong, it says what to do.

    `exit_code` is the exit code of a command that found this.
    """

    verdict: Verdict
    sentence: str
    exit_code: int = 0


Look: TypeAlias = Callable[[Surroundings], Awaitable[Found | None]]
"""None if the configuration has nothing to look at."""


@attrs.frozen
class DeepCheck:
    """A name, such as `state.space`, and the function that checks it."""

    name: str
    look: Look


def fine(sentence: str) -> Found:
    return Found(Verdict.FINE, sentence)


def doubtful(sentence: str) -> Found:
    return Found(Verdict.DOUBTFUL, sentence)


def wrong(sentence: str, exit_code: int = EXIT_FAILURE) -> Found:
    """`exit_code`: 1 for what may pass by itself, 78 for what the configuration has to say."""
    return Found(Verdict.WRONG, sentence, exit_code)


def in_thread(look: Callable[[Surroundings], Found | None]) -> Look:
    """A blocking check, run in a thread that is left behind if it hangs."""

    async def look_in_thread(surroundings: Surroundings) -> Found | None:
        return await trio.to_thread.run_sync(look, surroundings, abandon_on_cancel=True)

    return look_in_thread


async def ask_each(
    checks: Sequence[DeepCheck], surroundings: Surroundings
) -> list[tuple[str, Found]]:
    """What was found, by the name of the check, in the order of the checks."""
    found: list[tuple[str, Found]] = []
    for check in checks:
        one = await _ask(check, surroundings)
        if one is not None:
            found.append((check.name, one))
    return found


async def _ask(check: DeepCheck, surroundings: Surroundings) -> Found | None:
    with trio.move_on_after(WITHIN_S):
        try:
            return await check.look(surroundings)
        except ConfigError as error:
            return wrong(str(error), EXIT_CONFIG)
        except OSError as error:
            why = error.strerror or type(error).__name__
            where = f"{shown_path(Path(error.filename))}: " if error.filename else ""
            return wrong(f"{where}{why}.")
    return wrong(f"There was no answer within {WITHIN_S:.0f} s.")
