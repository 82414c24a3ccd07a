"""Patterns mean the same to every Python that chatd runs on."""

import re
from pathlib import Path

from tests.tooling.test_tools import ROOT

# The group may be of a pattern in pieces, which is why this looks at the text.
POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+")
SAFE = {
    "chatd/chat/answer_rows.py": "_ROW",
    "chatd/service/http_payloads.py": "_STRING",
}
"""Where no repeat of the group fails behind characters that something else could go on from."""


def test_groups_that_are_not_tried_twice_are_atomic() -> None:
    """Up to Python 3.11.4, which Debian 12 has, a possessive repeat of a group goes on from where
    its last, failing try has stood, rather than from where that began: `(?>(?:...)*)` does not."""
    assert re.fullmatch(r"(?>(?:;[a-z])*)", ";") is None
    found = [
        (str(path.relative_to(ROOT)), line.split(":")[0])
        for path in sorted(Path(ROOT, "chatd").rglob("*.py"))
        if "node_modules" not in path.parts
        for line in path.read_text("utf-8").splitlines()
        if POSSESSIVE_GROUP.search(line)
    ]
    assert found == sorted(SAFE.items())
