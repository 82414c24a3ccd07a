"""How the search reads a text: folded for each script, and apart where no spaces are."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat import words
from chatd.chat.words import FOLDS_MAX, JOINED, folded, has_word, searchable
from tests.rows import rows

EVERY_CHARACTER = [chr(one) for one in range(0x110000) if not 0xD800 <= one < 0xE000]


@rows(
    ("written", "asked"),
    [
        ("Café", "CAFE"),
        ("Cafe\u0301", "café"),
        ("Việt Nam", "viet nam"),
        ("Łódź", "lodz"),
        ("Ørsted Æther Œuvre", "orsted aether oeuvre"),
        ("Straße, GROẞ", "strasse, gross"),
        ("İstanbul, IŞIK", "istanbul, ışık"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("Ελλάδα ᾠδή", "ελλαδα ωδη"),
        ("Ёлка", "елка"),
        ("за\u0301мок", "замок"),
        ("ＡＢＣ　１２３", "abc 123"),
        ("ﾄｳｷｮｳ", "トウキョウ"),
        ("ｶﾞｯｺｳ", "ガッコウ"),
        ("か\u3099", "が"),
        ("\u1112\u1161\u11ab", "한"),
        ("葛\U000e0100飾", "葛飾"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّدٌ", "محمد"),
        ("أحمد آمن إلى", "احمد امن الي"),
        ("مـــحمد", "محمد"),
        ("کتاب", "كتاب"),
        ("کتاب\u200cها", "کتاب ها"),
        ("٢٠٢٤ ۲۰۲۴ २०२४", "2024 2024 2024"),
        ("ﬁnd", "find"),
        ("soft\u00adware", "software"),
        ("محمد \ufdfa هنا", "محمد هنا"),
        ("น้ำ", "น\u0e49\u0e4d\u0e32"),
    ],
)
def test_a_text_and_a_query_fold_to_the_same(written: str, asked: str) -> None:
    assert folded(written).split() == folded(asked).split()


@rows(
    ("one", "other"),
    [
        ("й", "и"),
        ("ї", "і"),
        ("が", "か"),
        ("パ", "ハ"),
        ("ที่", "ที"),
        ("क़", "क"),
        ("ひ", "ヒ"),
    ],
)
def test_what_makes_another_letter_is_no_accent(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@rows(
    ("text", "found"),
    [
        ("Late orders_7", "Late orders_7"),  # the tokenizer does the rest
        ("Grüße, Bob", "grusse, bob"),
        ("上海", "上 海"),
        ("在上海。好", "在 上 海 · 好"),
        ("iPhone手机", "iphone 手 机"),
        ("第3章", "第 3 章"),
        ("上海, ok 东", "上 海 , ok 东"),
    ],
)
def test_characters_without_spaces_between_words_stand_apart(text: str, found: str) -> None:
    assert searchable(text).split() == found.split()


@rows(
    ("text", "is_one"),
    [("a", True), ("7", True), ("上", True), ("ก", True), ("—", False), ("🎉\ufe0f", False)],
)
def test_what_can_be_searched_for_has_a_letter_or_a_digit(text: str, is_one: bool) -> None:
    assert has_word(text) is is_one


@given(st.text())
def test_folding_what_is_folded_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(st.text())
def test_what_is_folded_holds_words_and_ascii_alone(text: str) -> None:
    for character in folded(text):
        assert character.isascii() or unicodedata.category(character)[0] in "LNMC"
    assert '"' not in searchable(text) or '"' in text


def test_whatever_joins_the_character_before_it_is_known() -> None:
    seconds = {
        unicodedata.normalize("NFD", one)[at]
        for one in EVERY_CHARACTER
        if unicodedata.decomposition(one) or "\uac00" <= one <= "\ud7a3"
        for at in range(1, len(unicodedata.normalize("NFD", one)))
        if unicodedata.normalize("NFC", unicodedata.normalize("NFD", one)) == one
    }
    joined = re.compile(f"[{JOINED}]")
    unknown = [
        one
        for one in EVERY_CHARACTER
        if unicodedata.normalize("NFKD", one)[0] in seconds and not joined.match(one)
    ]
    assert unknown == []


def test_a_text_of_all_that_there_is_takes_a_bounded_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fresh = words._Folds()
    monkeypatch.setattr(words, "_FOLDS", fresh)
    for begin in range(0, 60_000, 1_000):
        folded("".join(EVERY_CHARACTER[begin : begin + 1_000]))
    assert len(fresh) == FOLDS_MAX
    assert folded("É") == "e"
