"""The commands of a room: how each is written, and the question that it is.

A command stands at the beginning of a message, after a slash. What does not exist is not looked at
here: see `unknown_commands`.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from chatd.answers.requests import (
    DescribeTable,
    ExplainStatement,
    ListTables,
    Request,
    RunStatement,
    SampleTable,
)
from chatd.answers.sql.blocks import fenced_blocks
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.places import DIALECT_NAMES


@attrs.frozen
class Help:
    """What may be asked."""


@attrs.frozen
class Misused:
    """A question that cannot be carried out as it stands; the sentence says how to write it."""

    sentence: str


Question: TypeAlias = Request | Help | Misused


@attrs.frozen
class Command:
    """A command: what stands after it (None: nothing), what it does, the question that it is."""

    argument: str | None
    purpose: str
    question: Callable[[str], Question]


COMMANDS: Mapping[str, Command] = {
    "tables": Command(None, "lists the tables", lambda _: ListTables()),
    "describe": Command("TABLE", "shows the columns of a table", DescribeTable),
    "sample": Command("TABLE", "shows some rows of a table", SampleTable),
    "sql": Command("SQL", "runs a statement", RunStatement),
    "explain": Command(
        "SQL", "shows the plan of a statement, and does not run it", ExplainStatement
    ),
    "help": Command(None, "shows this", lambda _: Help()),
}

USAGES: Mapping[str, str] = {
    name: f"/{name}" if command.argument is None else f"/{name} {command.argument}"
    for name, command in COMMANDS.items()
}
"""How each command is written."""

_COMMAND = re.compile(r"/([A-Za-z]+):?(?:[;.!?]*\Z|\s+(.*))", re.DOTALL)


def command_in(text: str) -> tuple[str, str] | None:
    """The name of the command that a text is, in small letters, and what stands after it; None if
    it is none."""
    command = _COMMAND.fullmatch(text)
    if command is None or command.group(1).lower() not in COMMANDS:
        return None
    return command.group(1).lower(), (command.group(2) or "").strip()


def question_of(name: str, argument: str) -> Question:
    """The question that a command is."""
    command = COMMANDS[name]
    if command.argument is None and argument:
        return Misused(f"Write {USAGES[name]} alone, with nothing after it.")
    blocks = fenced_blocks(argument)
    if command.argument == "SQL" and blocks:
        argument = blocks[0][1]
    if command.argument is not None and not argument:
        what = "your statement" if command.argument == "SQL" else "the name of a table"
        return Misused(f"Write {USAGES[name]}, with {what} in place of {command.argument}.")
    return command.question(argument)


def help_text(dialect: Dialect) -> str:
    """What may be asked of a database of this kind, as lines of Markdown."""
    lines = [
        f"- `/{name}{'' if command.argument is None else ' ' + command.argument}` {command.purpose}"
        for name, command in COMMANDS.items()
    ]
    name = DIALECT_NAMES[dialect]
    return "\n".join(
        [
            f"This database is {name}. You can ask it:",
            "",
            *lines,
            "",
            f"Plain SQL as {name} has it, or SQL in a block, is run too.",
        ]
    )
