"""What the parser of the command line says of options that are none."""

import click
import pytest
from click.testing import CliRunner

from chatd.cli.commands import main
from tests.rows import rows

HINT = " If it is a value, write -- before it."


@rows(
    ("command", "said"),
    [
        (["admin", "kick", "-Lx"], "No such option '-L'." + HINT),
        (["user", "erase", "-eve", "--yes"], "No such option '-e'." + HINT),
        (["room", "delete", "--old"], "No such option '--old'." + HINT),
        (["admin", "kick", "--jso", "x"], "No such option '--jso'. Did you mean '--json'?"),
        (["health", "--foo"], "No such option '--foo'."),
    ],
)
def test_a_value_that_looks_like_an_option_is_told_how_to_be_given(
    command: list[str], said: str
) -> None:
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2
    assert done.stderr.endswith(f"Error: {said}\n")


@pytest.mark.parametrize("command", [["admin", "kick"], ["user", "erase"], ["room", "delete"]])
def test_behind_two_hyphens_it_is_a_value(command: list[str]) -> None:
    found: click.Command = main
    for name in command:
        assert isinstance(found, click.Group)
        found = found.commands[name]
    context = found.make_context("it", ["--", "-Lx"], resilient_parsing=True)
    assert "-Lx" in context.params.values()
