"""The page's own tests and checks: each fails with what its tool says."""

import json

import pytest

from tests.page.client import CLIENT, program, run

TOOLS = {
    "the types": program("tsc", "--noEmit"),
    "the rules": program("oxlint", "--deny-warnings"),
    "the format": program("prettier", "--check", "--log-level=warn", "."),
    "the tests": program("vitest", "run", "--reporter=dot"),
}


@pytest.mark.parametrize("command", TOOLS.values(), ids=TOOLS)
def test_the_page_is_as_the_tool_wants_it(command: list[str]) -> None:
    run(command)


def test_the_script_that_people_run_checks_no_less() -> None:
    scripts = json.loads((CLIENT / "package.json").read_text())["scripts"]
    said = f"{scripts['check']} && {scripts['test']}"
    for command in TOOLS.values():
        assert command[0].rpartition("/")[2] in said
