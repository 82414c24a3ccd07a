"""What may be a reaction, and how many a message may have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.reactions import (
    EMOJI_CHARS_MAX,
    KINDS_MAX,
    REACTIONS_MAX,
    check_emoji,
    has_reaction,
    with_reaction,
    without_reaction,
)
from chatd.chat.records import Reaction
from chatd.wire.codes import Code

THUMB, HEART = "\N{THUMBS UP SIGN}", "\N{HEAVY BLACK HEART}\ufe0f"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
WALES = "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"
users, emojis = st.sampled_from("abc"), st.sampled_from([THUMB, HEART, ":done:"])


@pytest.mark.parametrize("emoji", [THUMB, HEART, FAMILY, WALES, "1\ufe0f\u20e3", ":done:", "+1"])
def test_emoji_and_names_between_colons_are_reactions(emoji: str) -> None:
    assert check_emoji(emoji) is None


@pytest.mark.parametrize(
    "emoji",
    [
        "",
        "ok",
        "1",
        " ",
        f"{THUMB} ",
        "a b!",
        "<b>",
        "&amp;",
        '"',
        "'",
        "`",
        "\0",
        "\x1b[31m",
        "\u202e:)",
        "\u200b",
        "\ufe0f",
        "\u200d",
        "ok\u200d",
        "o\u200dk",
        "ok\ufe0f",
        "o\u034fk",
        "\U000e006fok",
        "\ue000",
        THUMB * (EMOJI_CHARS_MAX + 1),
    ],
)
def test_what_is_blank_a_word_markup_or_obeyed_is_none(emoji: str) -> None:
    refusal = check_emoji(emoji)
    assert refusal is not None
    assert (refusal.code, refusal.path) == (Code.INVALID_PAYLOAD, "emoji")
    assert "emoji" in refusal.sentence


@given(st.lists(st.tuples(users, emojis, st.booleans())))
def test_reactions_are_those_that_were_put_and_not_taken_off(
    steps: list[tuple[str, str, bool]],
) -> None:
    there: dict[tuple[str, str], None] = {}
    reactions: tuple[Reaction, ...] = ()
    for user, emoji, is_on in steps:
        assert has_reaction(reactions, emoji, user) is ((emoji, user) in there)
        if is_on and (emoji, user) not in there:
            there[emoji, user] = None
            reactions = with_reaction(reactions, emoji, user) or ()
        elif not is_on:
            there.pop((emoji, user), None)
            reactions = without_reaction(reactions, emoji, user)
        assert {(one.emoji, user) for one in reactions for user in one.users} == set(there)
        assert all(
            list(one.users) == [user for emoji, user in there if emoji == one.emoji]
            for one in reactions
        ), "the first one first"


def test_a_message_has_so_many_different_ones_at_most() -> None:
    kinds = tuple(Reaction(f":{n}:", ("ann",)) for n in range(KINDS_MAX))
    assert with_reaction(kinds[1:], THUMB, "ann") is not None
    assert with_reaction(kinds, THUMB, "ann") is None
    assert with_reaction(kinds, ":0:", "bob") is not None


def test_a_message_has_so_many_of_all_users_at_most() -> None:
    many = (Reaction(THUMB, tuple(f"user {n}" for n in range(REACTIONS_MAX - 1))),)
    full = with_reaction(many, HEART, "ann")
    assert full is not None
    assert with_reaction(full, THUMB, "ann") is None
    left = without_reaction(full, THUMB, "user 0")
    assert with_reaction(left, THUMB, "ann") is not None
