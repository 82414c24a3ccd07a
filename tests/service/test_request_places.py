"""How many requests over HTTP are answered at once, and what responses hold that nobody takes."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from chatd.answers.exports import FORMATS, PIECE_BYTES
from chatd.answers.table import Column
from chatd.observe import LimitHit, Recorder
from chatd.service.delivery import Delivery
from chatd.service.request_places import SMALL_BYTES, RequestPlace, RequestPlaces
from chatd.wire.codes import Code, Refusal
from tests.answers.services import HeldDatabase
from tests.engine.polls import until
from tests.service.api_callers import Api
from tests.service.asking import Answer
from tests.service.chats import Chat, token
from tests.service.events.test_answers import open_answering
from tests.service.test_downloads import Asker, answered, refused

LARGE = SMALL_BYTES + 1


def places(per_user: int = 9, owed_bytes: int = 10 * LARGE) -> RequestPlaces:
    return RequestPlaces(Recorder(), per_user_max=per_user, owed_bytes_max=owed_bytes)


def taken(of: RequestPlaces, user_id: str) -> RequestPlace:
    place = of.take(user_id, "::1")
    assert isinstance(place, RequestPlace)
    return place


def test_a_user_has_so_many_places_and_gets_each_back_once() -> None:
    some = places(per_user=2)
    first, second = taken(some, "ada"), taken(some, "ada")
    third = some.take("ada", "::1")
    assert isinstance(third, Refusal)
    assert (third.code, third.retry_after_ms) == (Code.OVERLOADED, 1_000)
    other = taken(some, "bob")
    first.give_back()
    first.give_back()
    again = taken(some, "ada")
    assert isinstance(some.take("ada", "::1"), Refusal)
    for place in (second, other, again):
        place.give_back()
    assert some.are_free


def test_responses_of_all_users_hold_so_many_bytes_and_one_users_half_of_them() -> None:
    some = places(owed_bytes=4 * LARGE)
    of_ada, of_bob, of_cy = [[taken(some, user) for _ in range(4)] for user in ("a", "b", "c")]
    assert [place.owe(LARGE) is None for place in of_ada] == [True, True, False, False]
    assert [place.owe(LARGE) is None for place in of_bob] == [True, True, False, False]
    assert [place.owe(LARGE) is None for place in of_cy] == [False] * 4
    assert all(place.owe(SMALL_BYTES) is None for place in (*of_ada, *of_bob, *of_cy))
    of_ada[0].give_back()
    assert of_cy[0].owe(LARGE) is None
    for place in (*of_ada, *of_bob, *of_cy):
        place.give_back()
    assert some.are_free


def test_a_response_that_is_larger_than_all_may_hold_goes_out_alone() -> None:
    some = places(owed_bytes=LARGE)
    first, second = taken(some, "ada"), taken(some, "bob")
    assert first.owe(100 * LARGE) is None
    assert second.owe(LARGE) is not None
    first.give_back()
    assert second.owe(100 * LARGE) is None


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> trio.Event:
    """Until this is set, no client takes anything of a body."""
    event, take = trio.Event(), Delivery.__anext__

    async def wait(delivery: Delivery) -> bytes:
        await event.wait()
        return await take(delivery)

    monkeypatch.setattr(Delivery, "__anext__", wait)
    return event


@asynccontextmanager
async def asked_slowly(
    chat: Chat, held: trio.Event, *asks: Callable[[], Awaitable[Answer]]
) -> AsyncIterator[None]:
    """These are being answered meanwhile; at the end their clients take what they get."""
    answers: list[Answer] = []

    async def wait(ask: Callable[[], Awaitable[Answer]]) -> None:
        answers.append(await ask())

    users = chat.parts.chat.request_clients.places
    async with trio.open_nursery() as nursery:
        for ask in asks:
            nursery.start_soon(wait, ask)
        await until(lambda: held.statistics().tasks_waiting == len(asks))
        yield
        held.set()
    assert [answer.status for answer in answers] == [200] * len(asks)
    await until(lambda: users.are_free)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("by_ticket", [False, True])
async def test_a_download_has_a_place_of_its_user_until_its_client_has_it(
    tmp_path: Path, held: trio.Event, name: str, by_ticket: bool
) -> None:
    async with open_answering(tmp_path, api={"requests_per_user": 2}) as (chat, database):
        answer_id, asker = await answered(chat, database), Asker(chat)
        file = f"{answer_id}.{name}"

        async def download() -> Answer:
            if by_ticket:
                return await asker.ask(file, ticket=await asker.ticket(answer_id, token()))
            return await asker.ask(file, token())

        async with asked_slowly(chat, held, download, download):
            for method in ("GET", "HEAD"):
                one_more = await asker.ask(file, token(), method=method)
                assert (one_more.status, one_more.headers["retry-after"]) == (503, "1")
            refused(await asker.ask(file, token()), 503, "overloaded")
            assert (await Api(chat).ask("GET", "messages")).status == 503
            head = await asker.ask(file, token("bob"), method="HEAD")
            assert head.status == 200
        assert {one.limit for one in chat.recorder.of(LimitHit)} == {"requests_per_user"}
        assert (await download()).status == 200


async def test_what_is_no_download_leaves_no_place_taken(tmp_path: Path) -> None:
    async with open_answering(tmp_path, api={"requests_per_user": 1}) as (chat, database):
        answer_id, asker = await answered(chat, database), Asker(chat)
        for _ in range(2):
            assert (await asker.ask(f"{answer_id}.csv", token(), method="HEAD")).status == 200
            nowhere = await asker.ask(f"{answer_id[:-4]}0000.csv", token())
            refused(nowhere, 404, "not_found")
            refused(await asker.ask(f"{answer_id}.xml", token()), 404, "not_found")
            await asker.ticket(answer_id, token())
        chat.log.failure = None
        assert chat.parts.chat.request_clients.places.are_free


async def test_a_reader_that_takes_nothing_gives_its_place_back_when_it_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_answering(tmp_path, api={"requests_per_user": 1}) as (chat, database):
        monkeypatch.setattr(chat.parts.http.listener._http, "_send_timeout_s", 0.3)
        # Fifty megabytes as JSON, which names the column in each row: more than any kernel takes.
        long = [Column("n" * PIECE_BYTES, "integer")]
        answer_id = await answered(chat, database, long, [[number] for number in range(800)])
        users, asker = chat.parts.chat.request_clients.places, Asker(chat)
        with socket.socket() as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.connect(chat.address)
            head = f"GET /api/answers/{answer_id}.json HTTP/1.1\r\nHost: localhost\r\n"
            stalled.sendall(f"{head}Authorization: Bearer {token()}\r\n\r\n".encode())
            await until(lambda: not users.are_free)
            refused(await asker.ask(f"{answer_id}.csv", token()), 503, "overloaded")
            await until(lambda: users.are_free)
        assert (await asker.ask(f"{answer_id}.csv", token())).status == 200


async def long_answer(chat: Chat, database: HeldDatabase) -> str:
    """The id of an answer whose rows are not small."""
    return await answered(chat, database, [Column("t")], [["x" * 100]] * 900)


@pytest.mark.parametrize("first", ["csv", "messages"])
async def test_what_responses_hold_is_bounded_for_all_users_together(
    tmp_path: Path, held: trio.Event, first: str
) -> None:
    async with open_answering(tmp_path, api={"owed_bytes": 2 * LARGE}) as (chat, database):
        answer_id, asker = await long_answer(chat, database), Asker(chat)

        async def page(user: str, rows: int = 1_000) -> Answer:
            return await Api(chat, token(user)).ask("GET", "messages", answerRows=rows)

        async def ask() -> Answer:
            return await (asker.ask(f"{answer_id}.csv", token()) if first == "csv" else page("ada"))

        async with asked_slowly(chat, held, ask):
            refused(await asker.ask(f"{answer_id}.md", token("bob")), 503, "overloaded")
            assert {one.limit for one in chat.recorder.of(LimitHit)} == {"owed_bytes"}
            statuses: dict[str, int] = {}

            async def keep(name: str, asking: Awaitable[Answer]) -> None:
                statuses[name] = (await asking).status

            async with trio.open_nursery() as nursery:
                nursery.start_soon(keep, "long", page("bob"))
                nursery.start_soon(keep, "short", page("cy", rows=1))
                nursery.start_soon(keep, "sent", Api(chat, token("dan")).post({"content": "x"}))
                await until(lambda: held.statistics().tasks_waiting == 4)
                held.set()
        assert statuses == {"long": 503, "short": 200, "sent": 201}
