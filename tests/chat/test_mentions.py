"""Whom a content mentions: by examples, by what must hold of any text, and in bounded time."""

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat import mentions
from chatd.chat.mentions import MENTIONS_MAX, Names, folded, mentioned, without_code

USERS = {
    "ada": "Ada Lovelace",
    "bob": "Bob",
    "robert": "Bob",
    "ann-marie": "Ann",
    "x": None,
    "al": "al@work",
    "dor": "שלום",
    "li": "小明",
    "jo": "José",
    "gauss": "Straße",
    "spaced one": None,
}


@pytest.fixture
def names() -> Names:
    return Names(USERS.items())


@pytest.mark.parametrize(
    ("content", "users"),
    [
        ("hello @ada", ["ada"]),
        ("@ADA", ["ada"]),
        ("@Ada Lovelace, please", ["ada"]),
        ("@ada lovelaces", ["ada"]),
        ("(@bob)", ["bob", "robert"]),
        ("@bob. @bob, @bob: @bob's", ["bob", "robert"]),
        ("*@robert*", ["robert"]),
        ("@ann-marie", ["ann-marie"]),
        ("@ann", ["ann-marie"]),
        ("@x and @al@work", ["x", "al"]),
        ("@spaced one", ["spaced one"]),
        ("@שלום, בוקר טוב", ["dor"]),
        ("\u200f@שלום\u200f", ["dor"]),
        ("你好@小明你好", ["li"]),
        ("@Jose\u0301", ["jo"]),
        ("@JOSÉ", ["jo"]),
        ("@STRASSE", ["gauss"]),
        ("@bob\n@ada\n@bob", ["bob", "robert", "ada"]),
    ],
)
def test_a_name_behind_an_at_sign_mentions_who_is_called_so(
    names: Names, content: str, users: list[str]
) -> None:
    assert mentioned(content, names) == tuple(users)


@pytest.mark.parametrize(
    "content",
    [
        "ada",
        "mail ada@bob",
        "ada@bob.example",
        "a.b+c@ada",
        "@bobby",
        "@bob_",
        "@bob-x",
        "@bob.smith",
        "@bob@host.example",
        "@@bob",
        "@ bob",
        "@",
        "@nobody",
        "@Jose",
        "@x\u0301",
        "https://social.example/@ada",
        "key=@ada",
        "'@ada'",
        "`@ada`",
        "```@ada```",
        "```\n@ada\n```",
        "~~~\n@ada\n~~~",
        "look: ```sql\nSELECT @ada",
        "'a@x'",
        "data @> '{}'",
    ],
)
def test_no_one_is_mentioned(names: Names, content: str) -> None:
    assert mentioned(content, names) == ()


def test_talk_around_code_mentions(names: Names) -> None:
    assert mentioned("@bob ```\n@x\n``` and `@x` @ada", names) == ("bob", "robert", "ada")


def test_a_statement_mentions_nobody(names: Names) -> None:
    asked: list[str] = []

    def is_statement(text: str) -> bool:
        asked.append(text)
        return True

    assert mentioned("SELECT @ada", names, is_statement) == ()
    assert mentioned("none", names, is_statement) == ()
    assert mentioned("```\n@ada\n```", names, is_statement) == ()
    assert asked == ["SELECT @ada"]


def test_the_longest_of_names_that_begin_alike_wins() -> None:
    names = Names([("a", "Al"), ("b", "Al Ba"), ("c", "Al Ba Ce")])
    assert mentioned("@al ba ce", names) == ("c",)
    assert mentioned("@al ba cee", names) == ("b",)
    assert mentioned("@al b", names) == ("a",)


def test_a_user_is_called_by_its_newest_name_and_never_after_it_has_gone(names: Names) -> None:
    names.put("ada", "Countess")
    assert mentioned("@Ada Lovelace @Countess", names) == ("ada",)
    names.put("x", "Countess")
    assert mentioned("@countess", names) == ("ada", "x")
    names.remove("ada")
    names.remove("ada")
    assert mentioned("@ada @countess", names) == ("x",)
    assert len(names) == len(USERS) - 1


def test_at_most_so_many_are_mentioned() -> None:
    names = Names((f"user{n}", "everybody") for n in range(MENTIONS_MAX * 2))
    first = tuple(f"user{n}" for n in range(MENTIONS_MAX))
    assert mentioned("@everybody", names) == first
    assert mentioned(" ".join(f"@user{n}" for n in range(MENTIONS_MAX * 2)), names) == first


WORDS = st.text("ab@ ._-'`\u0301\u200fß小\n", max_size=6)


@given(
    content=st.lists(st.one_of(WORDS, st.just("@")), max_size=12).map("".join),
    called=st.dictionaries(st.text("ab", min_size=1, max_size=3), st.none() | WORDS, max_size=4),
)
def test_who_is_mentioned_is_called_so_behind_an_at_sign(
    content: str, called: dict[str, str | None]
) -> None:
    users = mentioned(content, Names(called.items()))
    assert len(set(users)) == len(users)
    text = folded(content)
    for user_id in users:
        name = called[user_id]
        calls = [folded(call) for call in (user_id, name) if call is not None]
        assert any(f"@{call}" in text for call in calls)


@given(st.text("`~ \n@ab", max_size=30), st.booleans())
def test_a_text_that_calls_somebody_is_asked_about_once_and_without_its_code(
    content: str, is_one: bool
) -> None:
    talk = mentions._CODE_IN_A_LINE.sub(" ", " ".join(mentions._FENCE.split(content)[::2]))
    assert without_code(content) == talk
    asked: list[str] = []

    def is_statement(text: str) -> bool:
        asked.append(text)
        return is_one

    names = Names([("a", "bb")])
    called = mentioned(content, names)
    assert mentioned(content, names, is_statement) == (() if is_one else called)
    assert [one.strip() for one in asked] == ([talk.strip()] if called else [])


@given(st.text(max_size=40))
def test_case_and_spelling_do_not_matter(name: str) -> None:
    assert folded(folded(name)) == folded(name)
    spelled = unicodedata.normalize("NFD", name)
    assert folded(spelled) == folded(name)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.text("aB é", max_size=3))))
def test_names_that_change_are_as_if_they_were_put_at_once(
    changes: list[tuple[str, str | None]],
) -> None:
    grown, last = Names(), {}
    for user_id, name in changes:
        if name == "":
            grown.remove(user_id)
            last.pop(user_id, None)
        else:
            grown.put(user_id, name)
            last[user_id] = name
    content = " ".join(f"@{call}" for pair in changes for call in pair if call)
    assert set(mentioned(content, grown)) == set(mentioned(content, Names(last.items())))


CROWD = [(f"user{n}", "a" * n) for n in range(1, 256)]  # a name of each length
CHARS = 10_000


@pytest.mark.parametrize(
    "piece",
    [
        "@ ",
        "@",
        "@a ",
        "@aa@",
        "`",
        "`a",
        "~~~\n",
        "```",
        "@\u0301",
        "\u0315\u0300",
        "x@y.z ",
        "@@ ",
    ],
)
def test_no_content_takes_long(piece: str) -> None:
    names = Names(CROWD)
    content = ("a" + piece * CHARS)[:CHARS] + " @user1"
    began_s = time.thread_time()
    mentioned(content, names)
    assert time.thread_time() - began_s < 0.5  # measured: 2 to 20 ms


def test_what_is_around_a_text_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def noting(text: str) -> str:
        sizes.append(len(text))
        return folded(text)

    names = Names([("bob", None)])
    monkeypatch.setattr(mentions, "folded", noting)
    assert mentioned("\n é @bob" + "\u3000" * 100_000, names) == ("bob",)
    assert sizes == [len("é @bob")]


def test_no_more_places_are_tried_than_a_message_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mentions, "TRIED_MAX", 2)
    names = Names([("ada", None)])
    assert mentioned("a@b @x @ada", names) == ("ada",)
    assert mentioned("@x @y @ada", names) == ()


def test_marks_beyond_what_a_character_can_have_do_not_count() -> None:
    heap = "e" + "\u0301" * 200
    assert len(folded(heap)) < mentions.MARKS_MAX + 2
    assert re.match("é", folded(heap))
