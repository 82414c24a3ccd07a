"""The words of a text, as the search knows them: what the index holds, and what a query asks for.

A text and a query are brought to the same form, **folded**: without case, without accents, one
spelling for each letter. What that means for each script is a table in `docs/protocol.md`.

Most scripts put spaces between words. Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese and
some others do not, or join particles to words. In these, each character is a word of its own, and
adjacent characters are asked for as a phrase: so a search finds parts of a text, even by one
character. If something stands between two such characters, a mark stands there in the index.

Tried before, on 200,000 messages (size of the index, time to build it): trigrams, twice the size
and time, and nothing is found by two characters; pairs of characters, half again the size and time,
and one character is slow to find. ICU is not in Python's SQLite.
"""

import re
import unicodedata
from typing import Final

FORM: Final = f"1, Unicode {unicodedata.unidata_version}"
"""Names what `searchable` makes of a text. An index of another form is built anew."""

FOLDS_MAX: Final = 20_000
"""Characters of which the fold is kept in memory (about 2 MB); others are folded each time."""

SEPARATORS: Final = "\x00-/:-@\\[-`{-\x7f"
"""What stands between words in a folded text, as the inside of a character class of `re`: other
separators have become spaces, and everything else is in words."""

UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaadf\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf"
    "\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff\uac00-\ud7a3"
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\ua4cf\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer and the Tai scripts, Korean, Japanese, Chinese, Yi: as `SEPARATORS`."""

_GAP = re.compile(f"(?<=[{UNSPACED}])[{SEPARATORS}]+(?=[{UNSPACED}])")
_RUN = re.compile(f"[{UNSPACED}]+")
_WORD = re.compile(f"[^{SEPARATORS}]")
_WHOLE_WORD = re.compile(f"[^{SEPARATORS}]+")
_BREAK = " · "  # no folded text holds this character

# What may be one character with the one before it: marks, and pieces of Hangul. As `SEPARATORS`.
JOINED: Final = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u093c\u09bc-\u09d7\u0b3e-\u0b57\u0bbe-\u0bd7\u0c3e-\u0c56\u0cbe-\u0cd6\u0d3e-\u0d57"
    "\u0dca-\u0ddf\u0e31\u0e33-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb3-\u0ebc\u0ec8-\u0ece"
    "\u102b-\u103e\u17b4-\u17d3\u1b34-\u1b44\u1160-\u11ff\ud7b0-\ud7ff\u3099\u309a\u3131-\u318e"
    "\ufe00-\ufe0f\uff9e-\uffdc\U000110ba\U00011127\U0001133e-\U00011357\U000114b0-\U000114bd"
    "\U000115af\U00011930\U000e0100-\U000e01ef"
)

# Signs that stand for a sentence: folded into it, a text of nothing but such signs would be
# eighteen times as long. They are not words.
_SENTENCES = re.compile("[\ufdfa\ufdfb]")

_SPELLINGS: Final = {
    "đ": "d",
    "ð": "d",
    "ħ": "h",
    "ı": "i",
    "ł": "l",
    "ø": "o",
    "ŧ": "t",
    "þ": "th",
    "æ": "ae",
    "œ": "oe",
    "ё": "е",
    "ѐ": "е",
    "ѝ": "и",
    "ی": "ي",
    "ى": "ي",
    "ک": "ك",
}
"""Letters that have a second spelling without a mark, which no rule of Unicode knows."""

_ACCENTED_SCRIPTS = ("LATIN", "GREEK", "ARABIC", "HEBREW")  # the accent can be left out
_MARKS_LEFT_OUT = ("COMBINING", "ARABIC", "HEBREW", "VARIATION")
_IGNORED = "\u0640\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d"  # tatweel, fillers, selectors
_NON_JOINER = "\u200c"  # in Persian it stands between the parts of a word, as a space may


class _Folds(dict[int, str]):
    """What each character folds to, for `str.translate`. It grows by those that occur.

    It never drops or changes an entry: every reader, in whatever thread, sees the same.
    """

    def __missing__(self, code_point: int) -> str:
        character = chr(code_point)
        folded = _folded_character(character)
        if len(self) < FOLDS_MAX:
            self[code_point] = folded
        return folded


_FOLDS: Final = _Folds()


def folded(text: str) -> str:
    """The text without case, accents and other spellings, each separator in it ASCII."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", _SENTENCES.sub(" ", text)).translate(_FOLDS)


def searchable(text: str) -> str:
    """The text for FTS5's tokenizer `ascii`: its words with ASCII between them.

    >>> searchable("Grüße aus 上海。好")
    'grusse aus  上 海  ·  好 '
    """
    if text.isascii():
        return text  # the tokenizer does the rest
    words = _GAP.sub(_BREAK, folded(text))
    return _RUN.sub(_apart, words)


def words_of(text: str) -> list[str]:
    """The words of the text, in order, as FTS5's tokenizer takes them out of `searchable`.

    >>> words_of("Grüße aus 上海。好")
    ['grusse', 'aus', '上', '海', '·', '好']
    """
    return _WHOLE_WORD.findall(text.lower() if text.isascii() else searchable(text))


def has_word(text: str) -> bool:
    """Whether there is anything in the text that can be searched for."""
    return _WORD.search(folded(text)) is not None


def _apart(run: re.Match[str]) -> str:
    return f" {' '.join(run.group())} "


def _folded_character(character: str) -> str:
    """Of a character as NFKC leaves it."""
    category = unicodedata.category(character)
    script = unicodedata.name(character, "").partition(" ")[0]
    if character == _NON_JOINER:
        return " "
    if category == "Cf" or character in _IGNORED:
        return ""
    if category in ("Mn", "Me") and script in _MARKS_LEFT_OUT:
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if character.isascii():
        return character.lower()
    if category[0] not in "LNM" and category != "Co":
        return " "
    if script in _ACCENTED_SCRIPTS:
        parts = unicodedata.normalize("NFD", character)
        character = "".join(part for part in parts if not unicodedata.combining(part))
    lower = character.casefold()
    return "".join(_SPELLINGS.get(letter, letter) for letter in lower)
