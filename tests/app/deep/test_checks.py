"""The list of checks is the one that the documents have, and the worst one decides."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from chatd.app.deep.check import DeepCheck, Found, Surroundings, doubtful, fine, wrong
from chatd.app.deep.checks import CHECKS
from chatd.cli import configuration
from chatd.cli.commands import main
from tests.cli.test_tables import rows_of, section_of


def test_every_check_is_documented() -> None:
    rows = rows_of(section_of("operations", "Install"), "check")
    assert [name.strip("`") for name, _ in rows] == [check.name for check in CHECKS]


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ((fine("It is."),), 0),
        ((fine("It is."), doubtful("Hardly.")), 0),
        ((wrong("The disk is full."), fine("It is.")), 1),
        ((wrong("The disk is full."), wrong("It is another's.", 78)), 78),
    ],
)
def test_the_exit_code_is_that_of_the_worst(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: tuple[Found, ...], code: int
) -> None:
    def finding(one: Found) -> DeepCheck:
        async def look(surroundings: Surroundings) -> Found:
            return one

        return DeepCheck("a.name", look)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(configuration, "CHECKS", tuple(map(finding, found)))
    done = CliRunner().invoke(main, ["config", "check", "--deep"])
    assert done.exit_code == code
    assert done.output.splitlines()[1:] == [
        f"a.name: {one.verdict}: {one.sentence}" for one in found
    ]
