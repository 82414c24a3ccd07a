"""Sessions with the database of a log: a server that lets a node in has to answer it too."""

import psycopg
import pytest
import trio

from chatd.postgres_store import sessions
from chatd.postgres_store.sessions import LogAddress, connect_on_trio

COME_IN = b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I"  # the user is let in; the server is ready


async def test_a_server_that_lets_a_node_in_and_then_says_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "ANSWER_S", 0.2)
    hung_up = trio.Event()

    async def say_nothing_more(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(COME_IN)
        while await stream.receive_some():
            pass
        hung_up.set()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, say_nothing_more, [listener])
        url = f"postgresql://somebody@127.0.0.1:{port}/chat?sslmode=disable&gssencmode=disable"
        with pytest.raises(psycopg.OperationalError, match=r"no answer within 0\.2 s"):
            await connect_on_trio(LogAddress(url, "chatd"), trio.CapacityLimiter(1))
        with trio.fail_after(60):
            await hung_up.wait()
        nursery.cancel_scope.cancel()
