"""What the tests of the sessions with db-mcps share."""

import pytest

from chatd.answers.mcp import session
from tests.answers.mcp.pools import LIMIT_S


@pytest.fixture
def late_confirmations(monkeypatch: pytest.MonkeyPatch) -> None:
    """A db-mcp that confirms a stop is waited for: on a busy machine it may do so late."""
    monkeypatch.setattr(session, "CONFIRM_S", LIMIT_S)
