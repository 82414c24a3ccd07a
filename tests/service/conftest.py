"""What the tests of the chat share."""

import pytest
import trio

from chatd.app.upkeep import Upkeep


@pytest.fixture
def no_upkeep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is removed but by the test: the first round of upkeep may fall anywhere."""

    async def nothing(_: Upkeep) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(Upkeep, "run", nothing)
