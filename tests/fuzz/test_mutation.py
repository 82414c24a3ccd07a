"""The loop finds what it is there to find."""

import random

import pytest

from tests.fuzz.mutation import mutated, run

CORPUS = [b'42["message",1]', b"3"]


def test_a_turn_makes_the_same_bytes_again() -> None:
    inputs = [mutated(CORPUS, turn)[0] for turn in range(100)]
    assert inputs == [mutated(CORPUS, turn)[0] for turn in range(100)]
    assert len(set(inputs)) > 50


def test_an_error_that_must_not_be_is_raised_and_names_its_input() -> None:
    def target(data: bytes, _: random.Random) -> None:
        data.decode()

    with pytest.raises(UnicodeDecodeError) as failed:
        run(target, CORPUS, 1.0)
    assert failed.value.__notes__[0].startswith("turn ")


def test_what_a_target_leaves_behind_is_noticed() -> None:
    kept: list[bytes] = []

    def target(data: bytes, _: random.Random) -> None:
        kept.append(bytes(10_000))

    with pytest.raises(AssertionError, match="bytes were left behind"):
        run(target, CORPUS, 0.0)
