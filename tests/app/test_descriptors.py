"""A system that grants fewer descriptors than connections may come."""

import resource

import pytest
import trio

from chatd.app.opening import DESCRIPTORS_SPARE, connections_granted
from tests.app.daemon import CHATD, COMMAND_S, House

# No connection ends because its head is late: the one answer is that of a daemon that is full.
PATIENT = {"CHATD_SERVER__HEAD_TIMEOUT_S": str(2 * COMMAND_S)}
GRANTED = 300  # descriptors, of which the spare ones leave few for connections


@pytest.mark.parametrize(
    ("limits", "wanted", "granted", "raised"),
    [
        pytest.param((1024, 100_000), 20_000, 20_000, 20_000 + DESCRIPTORS_SPARE, id="enough"),
        pytest.param((50_000, 100_000), 20_000, 20_000, None, id="enough already"),
        pytest.param((256, 1024), 20_000, 1024 - DESCRIPTORS_SPARE, 1024, id="fewer"),
        pytest.param((1024, 1024), 20_000, 1024 - DESCRIPTORS_SPARE, None, id="all there are"),
        pytest.param((100, 100), 20_000, 50, None, id="few: half of them"),
        pytest.param(
            (1024, resource.RLIM_INFINITY), 20_000, 20_000, 20_000 + DESCRIPTORS_SPARE, id="any"
        ),
        pytest.param(
            (resource.RLIM_INFINITY, resource.RLIM_INFINITY), 20_000, 20_000, None, id="boundless"
        ),
    ],
)
def test_as_many_connections_come_as_there_are_descriptors_for(
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int],
    wanted: int,
    granted: int,
    raised: int | None,
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: asked.append(pair))
    assert connections_granted(wanted) == granted
    assert asked == ([] if raised is None else [(raised, limits[1])])


async def test_who_comes_when_all_descriptors_are_taken_is_told_when_to_come_back(
    house: House,
) -> None:
    program = ("sh", "-c", f'ulimit -n {GRANTED}; exec "$@"', "sh", *CHATD, "serve")
    daemon = await house.start(program=program, env=PATIENT)
    assert daemon.events("daemon.started")[0]["connections"] == GRANTED // 2
    streams = [await trio.open_tcp_stream("127.0.0.1", daemon.port) for _ in range(GRANTED // 2)]
    streams.append(await trio.open_tcp_stream("127.0.0.1", daemon.port))
    answer = await first_answer(streams)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in answer
    for stream in streams:
        await stream.aclose()
    assert daemon.events("internal.error") == []
    await daemon.stop()


async def first_answer(streams: list[trio.SocketStream]) -> bytes:
    """What comes first on any of them: who came last is not always the last to be let in."""
    answers = []
    with trio.fail_after(COMMAND_S):
        async with trio.open_nursery() as nursery:

            async def listen(stream: trio.SocketStream) -> None:
                answers.append(bytes(await stream.receive_some()))
                nursery.cancel_scope.cancel()

            for stream in streams:
                nursery.start_soon(listen, stream)
    return answers[0]
