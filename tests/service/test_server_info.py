"""What a client is told of the server and of the databases of its rooms."""

from pathlib import Path

from chatd import __version__
from chatd.answers.sql.commands import COMMANDS
from chatd.wire.names import Feature
from tests.service.chats import ROOM, connected, open_chat, token
from tests.service.events.test_answers import open_answering


async def test_a_client_learns_which_server_this_is_and_what_it_can_do(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        peer = await chat.connect({"token": token()})
        await connected(peer)
        status = await peer.expect("connection:status")
    assert status["server"] == {
        "version": __version__,
        "features": [feature for feature in Feature if feature is not Feature.SCHEMA],
        "commands": [],
    }
    assert all("database" not in room for room in status["rooms"])


async def test_a_client_learns_what_answers_in_its_rooms(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        peer = await chat.connect({"token": token(rooms=[ROOM, "stock"])})
        await connected(peer)
        status = await peer.expect("connection:status")
    commands = [f"/{name}" for name in COMMANDS]
    assert [room.get("database") for room in status["rooms"]] == [
        {
            "kind": "sqlite",
            "dialect": "sqlite",
            "readOnly": True,
            "dryRun": True,
            "commands": commands,
        },
        None,
    ]
    assert status["server"]["features"] == list(Feature)
    assert [one["name"] for one in status["server"]["commands"]] == commands
