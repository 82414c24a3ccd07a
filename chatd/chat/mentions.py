"""Whom a message mentions: `@` and behind it the id or the name of somebody in its room.

    hello @Ada Lovelace, ask @bob     who is called so, in any case; the longest name wins
    (@bob) @bob: @bob. @bob's         signs may stand around a mention
    ada@bob.example  @bobby  @bob-x   none: a word goes on before it, or behind it
    `@bob`, a fenced block            none: code is quoted; and so are statements of SQL

Of several users with one name all are mentioned. Scripts without spaces between words need none
around a mention.

A text is read once, from its start to its end. Where a name may begin only those lengths are tried
that names with this first character have, each by one look into a dictionary, and in `TRIED_MAX`
places at most.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final

from chatd.chat.words import UNSPACED

MENTIONS_MAX = 50  # users whom one message mentions; further ones are not marked
TRIED_MAX = 200  # places of a content where a name may begin; further ones are not read
MARKS_MAX = 30  # on one character (UAX 15, "Stream-Safe Text"); to sort more takes too long

_FENCE: Final = re.compile(r"```+|^ {0,3}~~~+", re.MULTILINE)
_CODE_IN_A_LINE: Final = re.compile(r"`[^`\n]+`")
_UNSPACED: Final = re.compile(f"[{UNSPACED}]")
_BEFORE_NO_MENTION: Final = frozenset("@-+/\\%=&#$'\"`")  # in addresses, paths and code
_INSIDE_OF_NAMES: Final = frozenset("-.@")  # after a name, with a word after it: another name

# Marks of direction, joiners and the like: they are invisible, and names hold none of them.
_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)


def _is_no_statement(_: str) -> bool:
    return False


def folded(text: str) -> str:
    """A text or a name without case, and with one spelling for what looks the same."""
    if text.isascii():
        return text.lower()
    composed = unicodedata.normalize("NFC", _without_heaps(_UNSEEN.sub("", text)))
    return unicodedata.normalize("NFC", composed.casefold())


def _without_heaps(text: str) -> str:
    """The text with `MARKS_MAX` marks on each character at most."""
    kept, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MARKS_MAX:
            kept.append(character)
    return "".join(kept)


class Names:
    """What the users of a room are called: each by its id, and by its name if one is known.

    Its owner keeps it up to date by `put` and `remove`.
    """

    def __init__(self, users: Iterable[tuple[str, str | None]] = ()) -> None:
        """`users`: their ids, and their names."""
        self._called: dict[str, dict[str, None]] = {}  # users by what they are called, folded
        self._calls: dict[str, tuple[str, ...]] = {}  # the reverse
        self._lengths: dict[str, dict[int, int]] = {}  # by first character: how many of which
        self._longest_first: dict[str, tuple[int, ...]] = {}
        for user_id, name in users:
            self.put(user_id, name)

    def __len__(self) -> int:
        return len(self._calls)

    def put(self, user_id: str, name: str | None) -> None:
        """A user is in the room, and this is its name now."""
        calls = tuple(dict.fromkeys(map(folded, (user_id,) if name is None else (user_id, name))))
        if self._calls.get(user_id) == calls:
            return
        self.remove(user_id)
        self._calls[user_id] = calls
        for call in calls:
            users = self._called.get(call)
            if users is None:
                users = self._called[call] = {}
                self._count(call, 1)
            users[user_id] = None

    def remove(self, user_id: str) -> None:
        """A user is not in the room any more, if it was."""
        for call in self._calls.pop(user_id, ()):
            users = self._called[call]
            del users[user_id]
            if not users:
                del self._called[call]
                self._count(call, -1)

    def longest(self, text: str, start: int) -> tuple[Iterable[str], int]:
        """The users whose name is at `start` of a folded text, and where it ends; the longest of
        the names. No users, and `start`, if no name is there."""
        for length in self._longest_first.get(text[start : start + 1], ()):
            end = start + length
            users = self._called.get(text[start:end])
            if users is not None and _may_end(text, end):
                return users, end
        return (), start

    def _count(self, call: str, change: int) -> None:
        first, length = call[:1], len(call)
        lengths = self._lengths.setdefault(first, {})
        lengths[length] = lengths.get(length, 0) + change
        if not lengths[length]:
            del lengths[length]
        if lengths:
            self._longest_first[first] = tuple(sorted(lengths, reverse=True))
        else:
            del self._lengths[first], self._longest_first[first]


def mentioned(
    content: str, names: Names, is_statement: Callable[[str], bool] = _is_no_statement
) -> tuple[str, ...]:
    """The users whom a content mentions, in the order of their mentions, `MENTIONS_MAX` at most.

    `is_statement` is asked of the text without its blocks of code: a statement mentions nobody.

    >>> mentioned("ask @ada, not eve@ada.example", Names([("ada", "Ada Lovelace")]))
    ('ada',)
    """
    if "@" not in content:
        return ()
    talk = without_code(content.strip())  # what is around it may be ten times as long
    users = _called_in(folded(talk), names)
    # Most texts mention nobody, which is cheaper to find out than whether a text is a statement.
    return () if not users or is_statement(talk) else users


def without_code(content: str) -> str:
    """The text around its blocks of code and its code in a line."""
    if "`" not in content and "~~~" not in content:
        return content
    return _CODE_IN_A_LINE.sub(" ", " ".join(_FENCE.split(content)[::2]))


def _called_in(text: str, names: Names) -> tuple[str, ...]:
    """The users whose names stand in a folded text after an `@`, as `mentioned`."""
    found: dict[str, None] = {}
    at, tried = text.find("@"), 0
    while at >= 0 and len(found) < MENTIONS_MAX and tried < TRIED_MAX:
        end = at + 1
        if _may_begin(text, at):
            tried += 1
            users, end = names.longest(text, end)
            if users:
                found.update(dict.fromkeys(users))
        at = text.find("@", end)
    return tuple(found)[:MENTIONS_MAX] if found else ()


def _may_begin(text: str, at: int) -> bool:
    """Whether an `@` stands where no word, address or path goes on."""
    return at == 0 or not (text[at - 1] in _BEFORE_NO_MENTION or _is_in_word(text[at - 1]))


def _may_end(text: str, end: int) -> bool:
    """Whether a name may end here: nothing goes on that would make it another one."""
    behind = text[end : end + 1]
    if not behind:
        return True
    if _is_mark(behind):
        return False
    if _is_in_word(behind):
        return _UNSPACED.match(text[end - 1]) is not None
    after = text[end + 1 : end + 2]
    return not (behind in _INSIDE_OF_NAMES and after and _is_in_word(after))


def _is_in_word(character: str) -> bool:
    """Whether it belongs to a word, in a script that puts spaces between words."""
    if character.isascii():
        return character.isalnum() or character == "_"
    if _UNSPACED.match(character) is not None:
        return False
    return character.isalnum() or _is_mark(character)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"
