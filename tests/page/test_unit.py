"""The page's own tests and checks: each fails with what its tool says."""

import json

import pytest

from tests.page.client import CLIENT, program, run

TESTS_LIMIT_S = 1_100
"""There are many of them, and the machine may have much else to do."""

TOOLS = {
    "the types": program("tsc", "--noEmit"),
    "the rules": program("oxlint", "--deny-warnings"),
    "the format": program("prettier", "--check", "--log-level=warn", "."),
}
TESTS = program("vitest", "run", "--reporter=dot")


@pytest.mark.parametrize("command", TOOLS.values(), ids=TOOLS)
def test_the_page_is_as_the_tool_wants_it(command: list[str]) -> None:
    run(command)


@pytest.mark.timeout(1_200)
def test_the_page_passes_its_own_tests() -> None:
    run(TESTS, limit_s=TESTS_LIMIT_S)


def test_the_script_that_people_run_checks_no_less() -> None:
    scripts = json.loads((CLIENT / "package.json").read_text())["scripts"]
    said = f"{scripts['check']} && {scripts['test']}"
    for command in (*TOOLS.values(), TESTS):
        assert command[0].rpartition("/")[2] in said
