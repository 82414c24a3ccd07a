"""What people paste along with SQL: the prompt of a shell, a shell's own commands, odd characters.

`cleared` is a text as it was meant, if the lexer cannot read it. It only tells that the text is a
statement: the text as written is what is judged, and answered with the reason.
"""

import re

import attrs

from chatd.answers.requests import DescribeTable, ListTables
from chatd.answers.sql.functions import names
from chatd.answers.sql.odd_characters import plain_characters

# What may hide something, or what the lexer cannot read: it holds no word that says what it is.
_HIDDEN = re.compile(
    r"""/\*.*?\*/|'(?:[^'\n]|'')*'|"[^"\n]*"|`[^`\n]*`|\\[gGx]\s*\Z""",
    re.DOTALL,
)
HIDDEN_CHARS = 10_000  # of a text that is cleared; none that is read is longer

_NAME = r"""(?:[\w$*?]+|"[^"\n]+"|`[^`\n]+`|'[^'\n]+'|\[[^\]\n]+\])"""
_ONE_NAME = re.compile(rf"{_NAME}(?:\.{_NAME})?")
_PATTERN = re.compile(r"[*?%]")

# The prompts of shells, and those of the lines on which a statement goes on.
_PROMPTS = tuple(
    (re.compile(rf"(?:{first})[ \t]*", re.IGNORECASE), re.compile(rf"^[ \t]*(?:{on})[ \t]", re.M))
    for first, on in (
        (r"sqlite>", r"\.\.\.>"),
        (r"mysql>|mariadb>|MariaDB \[[^\]\n]{0,64}\]>", r"->|['\"`]>"),
        (r"[\w.@-]{1,64}[=*!^-][>#]", r"[\w.@-]{1,64}[-'\"(*$][>#]"),  # psql: shop=# shop-#
        (r">>>|In \[\d{1,6}\]:", r"\.\.\."),
        (r"sql>|psql>|duckdb>", r"\d+"),
        # Cells of notebooks: `%%sql` with its arguments above a statement, `%sql` before one; and
        # the name of the language above one, as pages show it that have a button for copying.
        (r"%%sql\b[^\n]*\n|%sql[ \t]|sql:?[ \t]*\n", r"(?!)"),
    )
)

_CELLS_BEGIN = ("%%s", "%sq", "sql")

_SHELL = re.compile(r"(\\|\.)([A-Za-z?!]+\+?)(?=[ \t;]|\Z)")
_OF_PSQL = names("""
    d d+ dt dt+ dv dv+ dm dm+ l l+ list dn dn+ du du+ dg df df+ di di+ ds ds+ dp dx dT dT+
    db dd dy c connect conninfo x q quit timing ? h help i ir o e ef ev g gx gdesc gexec
    copy echo encoding pset set unset watch w z a C H t T sf sv password errverbose
    crosstabview if endif
""")
_OF_SQLITE = names("""
    archive auth backup bail binary cd changes check clone connection databases dbconfig
    dbinfo dump echo eqp excel exit expert explain filectrl fullschema headers help import
    indexes indices limit lint load log mode nullvalue once open output parameter print
    progress prompt quit read recover restore save scanstats schema separator session
    sha3sum shell show stats system tables timeout timer trace vfsinfo vfslist vfsname width
""")
_BEFORE_WORDS = frozenset({"\\copy", "\\crosstabview", "\\pset", "\\set", "\\watch", ".import"})
_LISTS = frozenset({"\\d", "\\d+", "\\dt", "\\dt+", "\\dv", "\\dv+", ".tables", ".schema"})
_DESCRIBES = frozenset({"\\d", "\\d+", "\\dt", "\\dt+", ".schema", ".indexes", ".indices"})


@attrs.frozen
class ForeignCommand:
    """A command of a shell, as written, that has no counterpart here."""

    written: str


def cleared(text: str) -> str:
    """The text with plain characters for odd ones, and without what may hide something."""
    return _HIDDEN.sub(_plainer, plain_characters(text[:HIDDEN_CHARS]))


def without_prompts(text: str) -> str | None:
    """The text of one statement without the prompts of a shell; None if it begins with none."""
    for first, on in _PROMPTS:
        if (prompt := first.match(text)) is not None:
            return on.sub("", text[prompt.end() :]).strip()
    return None


def begins_with_prompt(text: str) -> bool:
    """Whether a text begins with the prompt of a shell; cheap."""
    is_of_shell = ">" in text or "#" in text or "]:" in text
    if not is_of_shell and text[:3].lower() not in _CELLS_BEGIN:
        return False
    head = text[:80]
    return any(first.match(head) is not None for first, _ in _PROMPTS)


def shell_command(text: str) -> ListTables | DescribeTable | ForeignCommand | None:
    """What a command of psql (`\\d orders`) or of the shell of SQLite (`.tables`) asks for; None if
    the text is not one."""
    command = None if "\n" in text else _SHELL.match(text)
    if command is None:
        return None
    sign, word = command.groups()
    argument = text[command.end() :].strip(" \t;")
    if word not in (_OF_PSQL if sign == "\\" else _OF_SQLITE):
        return None
    written = sign + word
    is_one_name = _ONE_NAME.fullmatch(argument) is not None
    if written in _LISTS and (not argument or (is_one_name and _PATTERN.search(argument))):
        return ListTables()
    if written in _DESCRIBES and is_one_name:
        return DescribeTable(argument.replace("'", '"'))
    is_sentence = len(argument.split()) > 2 and written not in _BEFORE_WORDS
    return None if is_sentence else ForeignCommand(written)


def _plainer(hidden: "re.Match[str]") -> str:
    match hidden.group()[0]:
        case "'":
            return "''"
        case '"' | "`":
            return '"x"'
        case _:
            return " "
