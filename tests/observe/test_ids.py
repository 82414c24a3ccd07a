import os

import pytest

from chatd.observe.ids import unguessable_id


def test_an_identifier_is_one_word_to_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    chances = iter([b"\xf8" * 15, b"\xfb" * 15, bytes(15)])
    monkeypatch.setattr(os, "urandom", lambda _: next(chances))
    assert unguessable_id() == "A" * 20


def test_identifiers_differ_and_are_safe_in_addresses() -> None:
    made = {unguessable_id() for _ in range(1_000)}
    assert len(made) == 1_000
    for one in made:
        assert len(one) == 20
        assert one.replace("-", "a").replace("_", "a").isalnum()
