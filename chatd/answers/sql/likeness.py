"""How much a text looks like SQL, by its words and signs alone: for texts that no grammar
understands.

`first_word` says whether a text begins like a statement; it is the cheap look at every message.
`likeness` weighs what follows. Marks are what sentences do not have: a star, a call, a comparison,
two words of SQL in capitals. Small words are what SQL does not have, outside of quotes: "the",
"please", "for me". A text that ends as a sentence does, with small words in it, is a sentence.

    SELECT * FORM products                      sure
    select name form customers                  near
    select * from orders gives me nothing       near
    Select a date from the calendar             none

What looks surely like SQL is answered, with the reason why it cannot run. What is near gets a hint.
"""

import enum
import re
from collections.abc import Mapping

from chatd.answers.sql.functions import names
from chatd.answers.sql.odd_characters import is_odd, plain_characters

LOOKED_AT_CHARS = 2_000  # of a text that are weighed; its marks stand at its beginning
FORM_CHARS = 300  # of a text that are compared with the forms of other statements
FIRST_CHARS = 12  # of a text in which an odd character may hide its first word
HEAD_CHARS = 60  # of a text whose first word may stand in odd characters, or among them

_LEADING = re.compile(r"(?:--[^\n]*\n|/\*.*?\*/|\s|\(|;)+", re.DOTALL)
_FIRST_WORD = re.compile(
    r"[\s(]*([A-Za-z]{1,12})(?![A-Za-z0-9_:.!?]|['’](?:s|t|d|m|re|ve|ll)\b(?!['’]))"
)

READ_ALWAYS = names("""
    SELECT WITH VALUES INSERT REPLACE MERGE UPDATE DELETE CREATE ALTER DROP TRUNCATE SHOW
    DESCRIBE DESC PRAGMA EXPLAIN
""")
"""First words that need a closer look, whatever follows them."""

_NAME = r"""(?:\w+|"[^"\n]+"|`[^`\n]+`|\[[^\]\n]+\])"""
_TABLE = rf"{_NAME}(?:\.{_NAME})?"
_END = r"\s*(?:;|\Z)"

# What has to follow other first words of statements, which chatd never runs; English has them too.
_OTHERS: Mapping[str, "re.Pattern[str]"] = {
    word: re.compile(rf"{word}\b{form}", re.IGNORECASE | re.VERBOSE)
    for word, form in {
        "ANALYZE": rf"(?:\s+{_TABLE})?{_END}",
        "ATTACH": r"\s+(?:DATABASE\s+)?'",
        "BEGIN": r"""
            (?:\s+(?:TRAN|TRANSACTION|WORK|IMMEDIATE|DEFERRED|EXCLUSIVE|ISOLATION\s+LEVEL[\w\s]+))?
            \s*(?:;|\Z|\n\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|SET|WITH)\b
            |\n(?s:.*)\bEND\s*\w*\s*;\s*\Z)
        """,
        "CHECKPOINT": _END,
        "CLOSE": rf"\s+\w+{_END}",
        "CLUSTER": rf"(?:\s+{_TABLE})?{_END}",
        "CALL": r"\s+[\w.]+\(",
        "COMMENT": r"\s+ON\s+(?:TABLE|COLUMN|VIEW|INDEX|SCHEMA|DATABASE)\s",
        "COMMIT": rf"(?:\s+(?:TRAN|TRANSACTION|WORK))?{_END}",
        "COPY": rf"\s+(?:{_TABLE}|\()[^;]*?\b(?:FROM|TO)\s+(?:'|STDIN|STDOUT|PROGRAM)",
        "DECLARE": r"\s+(?:@\w+|\w+\s+(?:CURSOR|INT|INTEGER|TEXT|VARCHAR|DATE)\b)",
        "DEALLOCATE": rf"\s+(?:PREPARE\s+)?\w+{_END}",
        "DETACH": rf"\s+(?:DATABASE\s+)?\w+{_END}",
        "DISCARD": rf"\s+(?:ALL|PLANS|TEMP){_END}",
        "DO": r"\s+(?:\$|'|\w+\()",
        "END": r"(?:\s+(?:TRAN|TRANSACTION|WORK))?\s*;",
        "EXEC": rf"\s+[\w.]+(?:\s+@|\s+'|{_END})",
        "EXECUTE": rf"\s+[\w.]+(?:\s*\(|{_END})",
        "FETCH": rf"""
            \s+(?:(?:NEXT|PRIOR|FIRST|LAST|ALL|FORWARD|BACKWARD|\d+)\s+)*(?:FROM|IN)\s+\w+{_END}
        """,
        "FLUSH": rf"\s+(?:TABLES|PRIVILEGES|LOGS|STATUS|HOSTS){_END}",
        "FROM": rf"\s+{_TABLE}(?:\s+SELECT\b|{_END})",
        "GRANT": r"\s+[\w\s,()*]+?\s(?:ON|TO)\s+\w",
        "HANDLER": r"\s+\w+\s+(?:OPEN|READ|CLOSE)\b",
        "INSTALL": r"\s+PLUGIN\s+\w",
        "KILL": rf"\s+(?:QUERY\s+)?\d+{_END}",
        "LISTEN": rf"\s+\w+{_END}",
        "LOAD": r"\s+(?:DATA|XML)\s+(?:LOCAL\s+)?INFILE\b",
        "LOCK": r"\s+TABLES?\s+\w",
        "NOTIFY": rf"\s+\w+(?:\s*,\s*'|{_END})",
        "OPTIMIZE": r"\s+TABLE\s+\w",
        "PREPARE": r"\s+\w+\s+(?:FROM|AS)\s+(?:'|SELECT\b)",
        "REFRESH": r"\s+MATERIALIZED\s+VIEW\s",
        "REINDEX": rf"(?:\s+(?:TABLE\s+|INDEX\s+)?{_TABLE})?{_END}",
        "RELEASE": r"\s+SAVEPOINT\s+\w",
        "RENAME": r"\s+TABLE\s+\w+\s+TO\s",
        "REPAIR": r"\s+TABLE\s+\w",
        "RESET": rf"\s+(?:ALL|\w+_\w+){_END}",
        "REVOKE": r"\s+[\w\s,()*]+?\s(?:ON|FROM)\s+\w",
        "ROLLBACK": rf"(?:\s+(?:TRAN|TRANSACTION|WORK|TO\s+\w+))?{_END}",
        "SAVEPOINT": rf"\s+\w+{_END}",
        "SECURITY": r"\s+LABEL\s+ON\b",
        "SET": r"""
            \s+(?:(?:SESSION|LOCAL|GLOBAL|PERSIST)\s+)?
            (?:@{0,2}[\w.]+\s*(?::?=|\bTO\b)\s*\S|NAMES\s+\S|ROLE\s+\S|SCHEMA\s+\S|TRANSACTION\s+\S
            |TIME\s+ZONE\s+\S|(?:NOCOUNT|XACT_ABORT|IDENTITY_INSERT\s+\w+)\s+(?:ON|OFF))
        """,
        "START": r"\s+TRANSACTION\b",
        "TABLE": rf"\s+{_TABLE}{_END}",
        "USE": rf"\s+{_NAME}{_END}",
        "UNLOCK": rf"\s+TABLES{_END}",
        "VACUUM": rf"(?:\s+(?:INTO\s+'|(?:FULL\s+|ANALYZE\s+)?{_TABLE}{_END})|{_END})",
        "XA": r"\s+(?:BEGIN|START|END|PREPARE|COMMIT)\s+'",
    }.items()
}


def _slips_of(word: str) -> set[str]:
    """The word with a letter left out, doubled, or in the place of the next one."""
    places = range(len(word))
    return {
        *(word[:at] + word[at + 1 :] for at in places),
        *(word[:at] + word[at] + word[at:] for at in places),
        *(word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in places[:-1]),
    } - {word}


_ENGLISH = frozenset({"ELECT", "INSET", "UPDATED", "DELETED"})
SLIPS: Mapping[str, str] = {
    slip: word
    for word in ("SELECT", "INSERT", "UPDATE", "DELETE", "DESCRIBE", "EXPLAIN")
    for slip in _slips_of(word) - _ENGLISH
}
"""What is typed for a first word, and the word."""

_QUOTED = re.compile(
    r"""'(?:[^'\n]|'')*'|"[^"\n]*"|`[^`\n]*`|--[^\n]*|/\*.*?\*/""",
    re.DOTALL,
)
_TYPES = "text|varchar|int|integer|bigint|numeric|decimal|float|date|timestamp|timestamptz|jsonb?"
_OBJECTS = (
    "DATABASE|DOMAIN|EXTENSION|FUNCTION|MATERIALIZED|POLICY|PROCEDURE|ROLE|RULE|SCHEMA|SEQUENCE|"
    "SERVER|TABLESPACE|TRIGGER|TYPE|USER"
)
ENDS_A_SENTENCE = (".", "?", "!", "…", ",", ":")
"""With one of these a sentence ends, or its part before SQL; no statement does."""

# A mark and what it counts; each counts once.
_MARKS: tuple[tuple[int, "re.Pattern[str]"], ...] = tuple(
    (count, re.compile(pattern, re.IGNORECASE))
    for count, pattern in (
        (2, r"\b(?:SELECT|DELETE)\s*(?:\w+\s+|TOP\s+\d+\s+)?(?:\w+\.)?\*(?:\s*,|\s+\w|\s*\Z)"),
        (2, r"\w\(\s*\*"),
        (1, r"\w\((?!e?s\))\w*"),
        (1, r"[\w)\]'\"]\s*(?:<=|>=|<>|!=|\|\||::|==?)\s*[\w('\":@$?-]"),
        (1, r"\w\s*[<>]\s*[\d'(]|->>?\s*['\d]"),
        (1, r";\s*\Z"),
        (1, r"\b(?:INNER|LEFT|RIGHT|FULL|OUTER|CROSS)\s+JOIN\b|\bGROUP\s+BY\b|\bUNION\s+ALL\b"),
        (1, r"\bIS\s+(?:NOT\s+)?NULL\b|\bLIMIT\s+\d|\bPRIMARY\s+KEY\b|\bIF\s+(?:NOT\s+)?EXISTS\b"),
        (1, r"\bORDER\s+BY\s+[\w.]+\s*(?:,|\bASC\b|\bDESC\b|\bLIMIT\b|;)"),
        (1, r"\bFROM\s+\w+\s+ORDER\s+BY\b"),
        (1, r"\bWHERE\s+[\w.]+\s*(?:[=<>!]|\b(?:NOT|LIKE|IN|IS|BETWEEN)\b)"),
        (  # a word, or none, where an operator belongs
            1,
            r"\b(?:FROM|SET)\s(?:.*\s)?WHERE\s+[\w.]+\s+(?:\w+\s+)?(?:''|\d)",
        ),
        (1, r"\bVALUES\s*\(|\bTOP\s+\d+\s+\w+(?:\s*,\s*\w+)*\s+FROM\b"),
        (1, r"\n\s*(?:FROM|WHERE|GROUP\s+BY|ORDER\s+BY|HAVING|LIMIT|JOIN|LEFT|VALUES|UNION|\))"),
        (1, r"\b(?:SELECT|FROM|JOIN)\s*[\[{]|\bCASE\s+WHEN\b|^\W*WITH\s+\w+\s+AS\s*\(?\s*SELECT\b"),
        (1, r"^\W*(?:MERGE\s+\w+\s+USING|TRUNCATE\s+TABLE|SHOW\s+COLUMNS|VALUES\s+\d+\s*,)"),
        (1, r"^\W*SELECT\s+\d+\s*(?:\Z|[-+*/%,]|\d)"),
        (2, rf"\bSELECT\s.*?\w\s*::\s*(?:{_TYPES})\b"),
        (1, rf"^\W*(?-i:CREATE|ALTER|DROP)\s+(?:OR\s+REPLACE\s+)?(?:{_OBJECTS})\s+\w"),
        (1, r"\b(?:PASSWORD|LIKE|ENCODING)\s+''"),
        (
            1,
            r"\bSELECT\s+(?:DISTINCT\s+)?\w+(?:\s*,\s*\w+)*\s+(?:FORM|FRON|FRM|FROMM|FOM|FRMO|RFOM)\s+\w+\s*\Z",
        ),
    )
)
# Names as sentences about data have them too: order_items, orders.csv.
_NAMES_OF_DATA = (
    re.compile(r"\b[a-z]+_\w+\b", re.IGNORECASE),
    re.compile(
        r"\b(?!www\b|e\.g|i\.e)[a-z]\w*\.(?!com\b|org\b|net\b|de\b|io\b|md\b|py\b)[a-z*]",
        re.IGNORECASE,
    ),
)
_CAPITALS = re.compile(
    r"\b(?:SELECT|FROM|WHERE|JOIN|ORDER|GROUP|VALUES|INTO|TABLE|SET|LIMIT|BY|FORM|AND|LIKE|TOP)\b"
)
# In capitals these begin no sentence, as those do that people shout: UPDATE, SHOW, WITH.
_SHOUTED_BY_NOBODY = ("SELECT", "PRAGMA", "EXPLAIN")

# Sentences that hold SQL begin with the others: "Explain what SELECT * does".
_BEFORE_NO_SENTENCE = names("SELECT WITH VALUES INSERT UPDATE DELETE")

_SMALL_WORDS = frozenset(
    """
    above an anybody anyone anything are be been before below best better both but can could did
    does don each every everyone everything gives had has have he hello her here hers hi him his
    how it its just let maybe me mine more most must my of one our ours out please she
    should so some somebody someone something than thank thanks that the their theirs them
    there these they this those three today tomorrow too two up us very was we well were what
    which who whose why will would you your yours yourself
    aber alle auf aus bitte das dem den der die ein eine einen für ich im ist mit nicht noch oder
    sich sie sind und uns von vom wir zu zum zur
    au aux avec ce ces dans des du elle est et il je la le leur les mais ne nous où par pas pour
    que qui sur un une vous
    como con de del el ella en esta este hay las lo los mi muy nos para pero por sin su una
    """.split()  # noqa: SIM905 - prose
)
_SAYS = re.compile(  # a sentence says of a statement what it is; in SQL other words follow
    r"\b(?:is|was)\s+(?!(?:null|not|true|false|unknown|distinct|json|document|of|nfk?[cd]"
    r"|normalized)\b)\w",
    re.IGNORECASE,
)
# A `with` of Python, and calls and members of other languages: SQL has no such beginnings.
_CODE = re.compile(
    r"with\s[^\n;]*:[ \t]*(?:\n|\Z|\w)|(?:select|insert|update|delete|replace|drop|show)\("
    r"|select\s*\{|delete\s+\w+(?:\.\w+)+\s*;"
)
_SPEAKER = re.compile(r"\bI\b(?!\.)")  # who says it: in small letters it may be a table
_WORD = re.compile(r"[^\W\d_]+")
_WHOLE_WORD = re.compile(r"(?<!\w)[^\W\d_]+(?!\w)")  # no part of a name, as in has_access, x2of3
_BEFORE_REMARK = re.compile(r";\s|\n[ \t]*\n")  # what may end a statement that is talked about
_SMILEY = re.compile(r"[:;]-?[()]")


class Likeness(enum.Enum):
    """How much a text looks like SQL."""

    NONE = enum.auto()
    NEAR = enum.auto()
    SURE = enum.auto()


def first_word(text: str) -> str | None:
    """The word of SQL that a text begins with, in capitals; None if it does not begin with one.

    It may be in `SLIPS`, and stand behind comments and opening parentheses.
    """
    if is_odd(text, FIRST_CHARS):
        text = plain_characters(text[:HEAD_CHARS]) + text[HEAD_CHARS:]
    leading = _LEADING.match(text)
    found = _FIRST_WORD.match(text, leading.end() if leading is not None else 0)
    if found is None:
        return None
    word = found.group(1).upper()
    if word in READ_ALWAYS or word in SLIPS:
        return word
    form = _OTHERS.get(word)
    if form is None:
        return None
    begun = text[found.start(1) : found.start(1) + FORM_CHARS]
    return None if form.match(begun) is None else word


def likeness(text: str) -> Likeness:
    """How much a text that begins like a statement looks like one."""
    outside, is_prose = _looked_at(text)
    count = sum(count for count, mark in _MARKS if mark.search(outside) is not None)
    count += sum(mark.search(outside) is not None for mark in _NAMES_OF_DATA)
    count += _capitals(outside) + (outside.count("(") > outside.count(")"))
    if is_prose and first_word(text) not in _BEFORE_NO_SENTENCE | SLIPS.keys():
        return Likeness.NONE
    if is_prose and text.rstrip().endswith(ENDS_A_SENTENCE):
        statement, *remark = _BEFORE_REMARK.split(text[:LOOKED_AT_CHARS], maxsplit=1)
        is_like = bool(remark) and likeness(statement) is not Likeness.NONE
        return Likeness.NEAR if is_like else Likeness.NONE
    if count >= (4 if is_prose else 2):
        return Likeness.SURE if _CODE.match(outside) is None else Likeness.NEAR
    return Likeness.NEAR if count >= (2 if is_prose else 1) else Likeness.NONE


def has_marks(text: str) -> bool:
    """Whether the text has what no sentence has, or its words of SQL in capitals."""
    outside, _ = _looked_at(text)
    return _capitals(outside) > 0 or any(mark.search(outside) is not None for _, mark in _MARKS)


def names_data(text: str) -> bool:
    """Whether a name stands in the text as tables and columns have them."""
    outside, _ = _looked_at(text)
    return any(mark.search(outside) is not None for mark in _NAMES_OF_DATA)


def is_prose(text: str) -> bool:
    """Whether a small word of a language stands in the text, outside of quotes and comments."""
    return _looked_at(text)[1]


def _looked_at(text: str) -> tuple[str, bool]:
    """The text without what is in quotes and comments, and whether a small word is in it."""
    outside = _QUOTED.sub(" '' ", plain_characters(text[:LOOKED_AT_CHARS]))
    outside = _SMILEY.sub(" ", outside).strip()
    is_prose = any(word.lower() in _SMALL_WORDS for word in _WHOLE_WORD.findall(outside))
    is_prose = is_prose or _SAYS.search(outside) is not None
    return outside, is_prose or (_SPEAKER.search(outside) is not None and not outside.isupper())


def _capitals(outside: str) -> int:
    """What the words in capitals count, in a text that is not all in capitals."""
    words = _WORD.findall(outside)
    first = words[0] if words else ""
    keywords = len(_CAPITALS.findall(outside))
    if len(first) < 3 or not first.isupper():
        return 0
    if first in _SHOUTED_BY_NOBODY:
        return min(2, max(1, keywords))
    return 1 if keywords > (first in READ_ALWAYS and _CAPITALS.fullmatch(first) is not None) else 0
