"""What a page asks of a daemon as it comes: what it can do, its schema, few rows of old answers."""

import pytest
import trio

from tests.app.client import Client, token_for
from tests.app.daemon import House
from tests.app.questions import answer

pytestmark = pytest.mark.answers

ROWS = """
    WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 800)
    SELECT n, 'row number ' || n AS text FROM n
"""


async def test_a_page_learns_what_it_can_ask_and_completes_it(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    alice = await Client.connect(nursery, daemon.port, token_for(house.secret, "alice"))
    status = await alice.hear("connection:status")
    [room] = status["rooms"]
    assert room["database"]["kind"] == "sqlite"
    assert [one["name"] for one in status["server"]["commands"]] == room["database"]["commands"]
    assert "schema" in status["server"]["features"]

    schema = await alice.ask("schema:get", {"connectionId": "demo"})
    tables = await answer(alice, "/tables")
    assert [one["name"] for one in schema["tables"]] == [row[0] for row in tables["rows"]]
    for table in schema["tables"]:
        described = await answer(alice, f"/describe {table['name']}")
        assert [[one["name"], one["type"]] for one in table["columns"]] == [
            row[:2] for row in described["rows"]
        ]


async def test_old_answers_come_with_few_rows_also_after_a_restart(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    token = token_for(house.secret, "alice")
    alice = await Client.connect(nursery, daemon.port, token)
    assert (await answer(alice, ROWS))["rowCount"] == 800
    for _ in range(2):
        bob = await Client.connect(nursery, daemon.port, token, answerRows=20)
        page = await bob.hear("chat:history")
        [copy] = [one for one in page["messages"] if "answer" in one]
        assert (len(copy["answer"]["rows"]), copy["answer"]["rowsOmitted"]) == (20, 780)
        asked = {"connectionId": "demo", "messageId": copy["messageId"]}
        whole = (await bob.ask("chat:message:get", asked))["message"]
        assert len(whole["answer"]["rows"]) == 800
        assert "rowsOmitted" not in whole["answer"]
        await daemon.stop()
        daemon = await house.start()
