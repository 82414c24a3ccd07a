"""What is said of a command that does not exist: a slip, another name, a sign that is not a slash.

Not everything that begins with a slash is a command: paths, tones of a sentence (`/s`) and what is
said of either are talk.
"""

import difflib
import re
from collections.abc import Mapping

from chatd.answers.sql.functions import names
from chatd.answers.sql.likeness import is_prose
from chatd.answers.sql.talk import Talk
from chatd.wire.codes import HintCode

NEARNESS = 0.75  # of a word to a command, from 0 to 1, to be taken for a slip

# What others call the commands.
_OTHER_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("list", "ls", "show", "schemas", "dt", "databases"), "tables"),
    **dict.fromkeys(("desc", "columns", "schema", "fields", "info", "d"), "describe"),
    **dict.fromkeys(("preview", "head", "peek", "rows", "top"), "sample"),
    **dict.fromkeys(("query", "run", "execute", "exec", "ask", "q"), "sql"),
    **dict.fromkeys(("select", "with", "insert", "update", "delete", "values"), "sql"),
    **dict.fromkeys(("plan", "analyze", "analyse"), "explain"),
    **dict.fromkeys(("commands", "usage", "man"), "help"),
}
# What people add to a sentence to say how it is meant; and how the paths of a system begin.
_TONES = names("jk srs gen lh hj pos neg nm nbh hyp lyr ref")
_DIRECTORIES = names("bin boot dev etc home lib media mnt opt proc root run srv sys tmp usr var")

_LIKE_COMMAND = re.compile(r"/([A-Za-z][A-Za-z_-]{0,31}):?(?:[;.!?]*\Z|\s+(.*))", re.DOTALL)
_SLASHES = re.compile(r"/[/ ]+([A-Za-z]+)\b")
_FIRST_PART = re.compile(r"[\W_].*", re.DOTALL)


def said_of_slash(text: str, usages: Mapping[str, str]) -> Talk:
    """What is said of a text that begins with a slash, but is not one of the commands in
    `usages`."""
    if (slashes := _SLASHES.match(text)) is not None:
        usage = usages.get(slashes.group(1).lower())
        return Talk() if usage is None else no_command(f"Write {usage}.")
    if text == "/?":
        return no_command("There is no /?.")
    command = _LIKE_COMMAND.fullmatch(text)
    if command is None:
        return Talk()
    return _said_of_word(command.group(1), command.group(2) or "", usages)


def said_of_other_sign(text: str, usages: Mapping[str, str]) -> Talk:
    """What is said of a command after another sign: `\\tables`."""
    usage = usages.get(_FIRST_PART.sub("", text[1:]).lower())
    return Talk() if usage is None else no_command(f"Write {usage}.")


def no_command(sentence: str) -> Talk:
    """There is no such command; the sentence says which."""
    return Talk(HintCode.UNKNOWN_COMMAND, f"{sentence} /help says what can be asked.")


def _said_of_word(word: str, argument: str, usages: Mapping[str, str]) -> Talk:
    name = word.lower()
    is_talk = name in _TONES | _DIRECTORIES or len(name) == 1
    if is_talk and name not in _OTHER_NAMES:
        return Talk()
    near = _nearest(name, usages)
    if near is None:
        is_sentence = is_prose(argument) or len(argument.split()) > 1
        return Talk() if is_sentence else no_command(f"There is no /{word}.")
    if is_prose(argument) and name not in _OTHER_NAMES:
        return Talk()
    return no_command(f"There is no /{word}; did you mean {usages[near]}?")


def _nearest(name: str, usages: Mapping[str, str]) -> str | None:
    """The command that a word stands for, or is nearly."""
    if name in usages:
        return name
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    if (begun := re.split(r"[_-]", name)[0]) != name:
        return _nearest(begun, usages)
    near = difflib.get_close_matches(name, [*usages], n=1, cutoff=NEARNESS)
    return near[0] if near else None
