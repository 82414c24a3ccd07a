"""Stored answers as files, asked for over HTTP; the test holds the database."""

import csv
import io
import re
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import orjson
import pytest
import trio

from chatd.answers.exports import PIECE_BYTES
from chatd.answers.table import Cell, Column
from chatd.auth import ClaimDirectory, DirectoryFailed
from chatd.observe import AuthenticationFailed, ExportEnded, LimitHit
from chatd.observe.clock import Clock
from chatd.service import downloads
from chatd.service.request_places import RequestPlace
from chatd.store import LogReaders, StoreReadFailed
from tests.answers.services import HeldDatabase
from tests.engine.polls import until
from tests.service.asking import Answer
from tests.service.asking import ask as ask_over_http
from tests.service.chats import ROOM, Chat, message, token
from tests.service.events.test_answers import OTHER, ask, called, open_answering
from tests.service.test_catch_up_of_clients import FREE

APP = "https://app.example"
TABLE = (Column("n", "integer"), Column("=t", "text"))
ROWS: Sequence[Sequence[Cell]] = [
    [1, "=HYPERLINK(1)"],
    [None, 'say "x", é'],
    ["9007199254740993", "@a\nb"],
    [-7, {"$bytes": "AP8="}],
]
CSV = 'n,\'=t\r\n1,\'=HYPERLINK(1)\r\n,"say ""x"", é"\r\n9007199254740993,"\'@a\nb"\r\n-7,AP8=\r\n'
OBJECTS = [dict(zip(("n", "=t"), row, strict=True)) for row in ROWS]
NOWHERE = "00000000-0000-4000-8000-000000000000"


class Asker:
    """Somebody who asks over HTTP, each time on a connection of its own."""

    def __init__(self, chat: Chat) -> None:
        self._address = chat.address

    async def ask(
        self,
        file: str,
        bearer: str | None = None,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = {},
        **query: str,
    ) -> Answer:
        """A request for `/api/answers/{file}`."""
        sent = dict(headers)
        if bearer is not None:
            sent["authorization"] = f"Bearer {bearer}".rstrip()
        target = f"/api/answers/{file}?{urlencode(query)}"
        return await ask_over_http(self._address, method, target, sent)

    async def ticket(self, answer_id: str, bearer: str) -> str:
        response = await self.ask(f"{answer_id}/ticket", bearer, method="POST")
        assert response.status == 201, response
        assert response.json()["expiresInMs"] == 60_000
        return str(response.json()["ticket"])


async def answered(
    chat: Chat,
    database: HeldDatabase,
    columns: Sequence[Column] = TABLE,
    rows: Sequence[Sequence[Cell]] = ROWS,
) -> str:
    """The id of an answer that is stored."""
    ada = await chat.enter("ada")
    await ask(ada)
    call = await called(database)
    call.sink.columns(tuple(columns))
    call.sink.rows([list(row) for row in rows])
    call.end()
    await ada.until("chat:answer:end")
    return str((await ada.expect("chat:message"))["messageId"])


@asynccontextmanager
async def open_export(
    directory: Path, **sections: dict[str, object]
) -> AsyncIterator[tuple[Chat, Asker, str]]:
    """A chat with a stored answer, somebody who asks for it, and the answer's id."""
    async with open_answering(directory, **sections) as (chat, database):
        yield chat, Asker(chat), await answered(chat, database)


def refused(response: Answer, status: int, code: str) -> None:
    """It is this error, in a sentence; a 401 says how to come in."""
    assert (response.status, response.json()["error"]["code"]) == (status, code)
    assert response.json()["error"]["message"]
    assert ("www-authenticate" in response.headers) is (status == 401)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("csv", "text/csv; charset=utf-8; header=present"),
        ("json", "application/json"),
        ("ndjson", "application/x-ndjson"),
    ],
)
async def test_a_stored_answer_is_a_file_for_who_may_use_its_room(
    tmp_path: Path, name: str, media_type: str
) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        response = await asker.ask(f"{answer_id}.{name}", token("bob"))
        assert response.status == 200
        headers = response.headers
        assert headers["content-type"] == media_type
        disposition = rf'attachment; filename="{ROOM}-\d{{4}}-\d\d-\d\d-\d{{4}}\.{name}"'
        assert re.fullmatch(disposition, headers["content-disposition"])
        assert headers["transfer-encoding"] == "chunked"
        match name:
            case "csv":
                assert response.body == CSV.encode()
            case "json":
                assert orjson.loads(response.body) == OBJECTS
            case "ndjson":
                assert [orjson.loads(line) for line in response.body.splitlines()] == OBJECTS


async def test_csv_reads_back_and_no_cell_of_it_is_a_formula(tmp_path: Path) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        text = (await asker.ask(f"{answer_id}.csv", token())).body.decode()
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert [len(row) for row in rows] == [2] * 5
        for cell in [cell for row in rows for cell in row]:
            assert cell[:1] not in {"=", "+", "@", "\t", "\r"}
            assert cell[:1] != "-" or cell == "-7"


async def test_head_says_what_get_would_and_sends_nothing(tmp_path: Path) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        response = await asker.ask(f"{answer_id}.csv", token(), method="HEAD")
        assert (response.status, response.body) == (200, b"")
        assert response.headers["content-type"].startswith("text/csv")
        assert (await asker.ask(f"{answer_id}.csv", token())).body == CSV.encode()


async def test_the_id_of_an_answer_is_taken_in_any_case_and_logged_in_lower_case(
    tmp_path: Path,
) -> None:
    async with open_export(tmp_path) as (chat, asker, answer_id):
        ticket = await asker.ticket(answer_id.upper(), token())
        response = await asker.ask(f"{answer_id.title()}.csv", ticket=ticket)
        assert response.status == 200
        await until(lambda: bool(chat.recorder.of(ExportEnded)))
        assert chat.recorder.of(ExportEnded)[0].answer_id == answer_id


async def test_a_ticket_is_good_for_one_download(tmp_path: Path) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        ticket = await asker.ticket(answer_id, token("bob"))
        assert (await asker.ask(f"{answer_id}.csv", ticket=ticket)).body == CSV.encode()
        refused(await asker.ask(f"{answer_id}.csv", ticket=ticket), 401, "unauthorized")


async def test_a_refusal_says_how_to_ask(tmp_path: Path) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        for method, file in (("GET", f"{answer_id}.csv"), ("POST", f"{answer_id}/ticket")):
            response = await asker.ask(file, method=method)
            refused(response, 401, "unauthorized")
            assert response.json()["error"]["message"] == (
                "Send the token as `Authorization: Bearer ...`, or a ticket."
            )
        for file in (f"{answer_id}.xml", f"{answer_id}.CSV", answer_id):
            response = await asker.ask(file, token())
            refused(response, 404, "not_found")
            assert response.json()["error"]["message"] == (
                "An answer is exported as .csv, .json, .md, .ndjson or .xlsx."
            )


async def test_a_refusal_that_asks_for_patience_leaves_the_ticket_good(tmp_path: Path) -> None:
    async with open_export(tmp_path, api={"requests_per_user": 1}) as (chat, asker, answer_id):
        ticket = await asker.ticket(answer_id, token("bob"))
        place = chat.parts.chat.request_clients.places.take("bob", "an address")
        assert isinstance(place, RequestPlace)
        refused(await asker.ask(f"{answer_id}.csv", ticket=ticket), 503, "overloaded")
        place.give_back()
        assert (await asker.ask(f"{answer_id}.csv", ticket=ticket)).body == CSV.encode()
        refused(await asker.ask(f"{answer_id}.csv", ticket=ticket), 401, "unauthorized")
        refused(await asker.ask(f"{answer_id}.csv", ticket=ticket), 401, "unauthorized")


async def test_a_look_at_a_link_and_a_wrong_name_leave_its_ticket_good(tmp_path: Path) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        ticket = await asker.ticket(answer_id, token())
        looked = await asker.ask(f"{answer_id}.csv", method="HEAD", ticket=ticket)
        assert (looked.status, looked.body) == (200, b"")
        refused(await asker.ask(f"{answer_id}.xml", ticket=ticket), 404, "not_found")
        assert (await asker.ask(f"{answer_id}.csv", ticket=ticket)).status == 200


async def test_a_ticket_is_good_for_its_message_only(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        asker = Asker(chat)
        database.at_once = lambda call: call.end()
        ada = await chat.enter("ada")
        answer_ids = []
        for number in range(2):
            await ask(ada, f"SELECT {number} FROM numbers")
            await ada.until("chat:answer:end")
            answer_ids.append((await ada.expect("chat:message"))["messageId"])
        first, second = answer_ids
        ticket = await asker.ticket(first, token())
        refused(await asker.ask(f"{second}.csv", ticket=ticket), 401, "unauthorized")
        ticket = await asker.ticket(second, token())
        assert (await asker.ask(f"{second}.csv", ticket=ticket)).status == 200


async def test_a_ticket_is_good_for_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        ticket = await asker.ticket(answer_id, token())
        now_s = trio.current_time()
        with monkeypatch.context() as patch:
            patch.setattr(downloads.trio, "current_time", lambda: now_s + 61)
            response = await asker.ask(f"{answer_id}.csv", ticket=ticket)
        refused(response, 401, "unauthorized")


async def test_a_ticket_lives_no_longer_than_the_token_that_it_was_got_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        ticket = await asker.ticket(answer_id, token(ttl_s=3600))
        later_s = Clock().wall_s() + 3601
        with monkeypatch.context() as patch:
            patch.setattr(Clock, "wall_s", lambda _: later_s)
            response = await asker.ask(f"{answer_id}.csv", ticket=ticket)
        refused(response, 401, "unauthorized")


async def test_a_room_that_was_taken_away_is_not_found_with_ticket_or_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        ticket = await asker.ticket(answer_id, token())
        with monkeypatch.context() as patch:
            patch.setattr(ClaimDirectory, "grants_now", lambda *_: {})
            refused(await asker.ask(f"{answer_id}.csv", ticket=ticket), 404, "not_found")
            refused(await asker.ask(f"{answer_id}.csv", token()), 404, "not_found")


async def test_a_ticket_ends_when_its_user_refreshes_with_a_token_without_the_room(
    tmp_path: Path,
) -> None:
    async with open_export(tmp_path) as (chat, asker, answer_id):
        bob = await chat.enter("bob", (ROOM, OTHER))
        ticket = await asker.ticket(answer_id, token("bob"))
        of_ada = await asker.ticket(answer_id, token("ada"))
        assert (await bob.call("auth:refresh", {"token": token("bob", (OTHER,))}))["ok"]
        refused(await asker.ask(f"{answer_id}.csv", ticket=ticket), 401, "unauthorized")
        assert (await asker.ask(f"{answer_id}.csv", ticket=of_ada)).status == 200


async def test_a_ticket_ends_when_its_user_comes_in_with_a_token_without_the_room(
    tmp_path: Path,
) -> None:
    async with open_export(tmp_path) as (chat, asker, answer_id):
        by_socket, by_http = [await asker.ticket(answer_id, token("bob")) for _ in range(2)]
        narrowed = await asker.ask(f"{answer_id}.csv", token("bob", (OTHER,)), ticket=by_http)
        refused(narrowed, 401, "unauthorized")
        refused(await asker.ask(f"{answer_id}.csv", ticket=by_socket), 401, "unauthorized")
        ticket = await asker.ticket(answer_id, token("bob"))
        await chat.enter("bob", (OTHER,))
        refused(await asker.ask(f"{answer_id}.csv", ticket=ticket), 401, "unauthorized")


async def test_a_ticket_is_nobody_elses_for_who_shows_a_token_too(tmp_path: Path) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        ticket = await asker.ticket(answer_id, token("bob"))
        refused(await asker.ask(f"{answer_id}.csv", token(), ticket=ticket), 401, "unauthorized")
        refused(await asker.ask(f"{answer_id}.csv", "bad", ticket=ticket), 401, "token_invalid")
        basic = {"authorization": "Basic YWRhOmFkYQ=="}  # a proxy's business, and no token
        looked = await asker.ask(f"{answer_id}.csv", method="HEAD", headers=basic, ticket=ticket)
        assert looked.status == 200
        assert (await asker.ask(f"{answer_id}.csv", token("bob"), ticket=ticket)).status == 200
        refused(await asker.ask(f"{answer_id}.csv", ticket=ticket), 401, "unauthorized")


async def test_an_answer_of_a_room_of_others_is_not_found_and_gets_no_ticket(
    tmp_path: Path,
) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        stranger = token("eve", [OTHER])
        there = await asker.ask(f"{answer_id}.csv", stranger)
        nowhere = await asker.ask(f"{NOWHERE}.csv", stranger)
        refused(there, 404, "not_found")
        assert there.body == nowhere.body
        response = await asker.ask(f"{answer_id}/ticket", stranger, method="POST")
        refused(response, 404, "not_found")


@pytest.mark.parametrize(
    ("bearer", "code"),
    [
        (None, "unauthorized"),
        ("", "unauthorized"),
        ("no token", "token_invalid"),
        (token(secret="another secret, which is long enough too"), "token_invalid"),
        (token(now_s=1_700_000_000), "token_expired"),
    ],
    ids=["none", "empty", "garbage", "of another secret", "expired"],
)
async def test_without_a_good_token_nothing_is_told(
    tmp_path: Path, bearer: str | None, code: str
) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        for file in (f"{answer_id}.csv", f"{NOWHERE}.csv", f"{answer_id}.xls"):
            refused(await asker.ask(file, bearer), 401, code)
        refused(await asker.ask(f"{answer_id}/ticket", bearer, method="POST"), 401, code)


@pytest.mark.parametrize("ticket", ["", "x", "x" * 5_000])
async def test_a_ticket_that_was_not_given_is_no_good(tmp_path: Path, ticket: str) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        refused(await asker.ask(f"{answer_id}.csv", ticket=ticket), 401, "unauthorized")


async def test_a_token_does_not_belong_into_the_address(tmp_path: Path) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        for name in ("token", "auth", "ticket"):
            response = await asker.ask(f"{answer_id}.csv", **{name: token()})
            refused(response, 401, "unauthorized")


async def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    async with open_export(tmp_path) as (chat, asker, answer_id):
        ada = await chat.enter("ada")
        plain = message("hello")
        await ada.say(plain)
        for file in (
            f"{NOWHERE}.csv",
            f"{plain['messageId']}.csv",
            f"{answer_id}.xls",
            f"{answer_id}.",
            answer_id,
            f"{answer_id}.CSV",
            f"{'-' * 36}.csv",
            f"{answer_id}.csv/",
            f"{answer_id}.csv/ticket",
            "",
        ):
            response = await asker.ask(file, token())
            assert (response.status, response.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("file", "method", "allowed"),
    [
        ("{}.csv", "POST", "GET, HEAD"),
        ("{}.csv", "DELETE", "GET, HEAD, POST"),
        ("{}/ticket", "GET", "POST"),
        ("{}/ticket", "HEAD", "POST"),
        ("{}/ticket", "PUT", "GET, HEAD, POST"),
    ],
)
async def test_other_methods_are_405(tmp_path: Path, file: str, method: str, allowed: str) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        response = await asker.ask(file.format(answer_id), token(), method=method)
        assert (response.status, response.headers["allow"]) == (405, allowed)


async def test_a_failed_read_and_a_failed_directory_are_503(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise StoreReadFailed("for the test")

    def refuses(*_: object) -> None:
        raise DirectoryFailed("for the test")

    async with open_export(tmp_path) as (_, asker, answer_id):
        ticket = await asker.ticket(answer_id, token())
        with monkeypatch.context() as patch:
            patch.setattr(LogReaders, "message", fails)
            response = await asker.ask(f"{answer_id}.csv", token())
            refused(response, 503, "storage_read_error")
            assert response.headers["retry-after"] == "5"
            assert response.json()["error"]["retryable"]
        with monkeypatch.context() as patch:
            patch.setattr(ClaimDirectory, "grants_now", refuses)
            refused(await asker.ask(f"{answer_id}.csv", token()), 503, "directory_unavailable")
            refused(
                await asker.ask(f"{answer_id}.csv", ticket=ticket), 503, "directory_unavailable"
            )


@pytest.mark.parametrize(
    "broken",
    [
        "X'7b'",  # no JSON
        "X'7b7d'",  # no table
        """CAST('{"state":"done","columns":[],"rows":7}' AS BLOB)""",
        """CAST('{"state":"done","columns":[],"rows":[[1]]}' AS BLOB)""",
    ],
)
async def test_an_answer_that_is_damaged_is_said_to_be(tmp_path: Path, broken: str) -> None:
    async with open_export(tmp_path) as (chat, asker, answer_id):
        await chat.log._current().maintain(
            lambda log: log.execute(f"UPDATE messages SET answer = {broken} WHERE answer NOT NULL")
        )
        refused(await asker.ask(f"{answer_id}.csv", token()), 503, "storage_read_error")
        refused(await asker.ask(f"{answer_id}.csv", token(rooms=["other"])), 404, "not_found")


async def test_bad_tokens_back_off_by_address_and_good_ones_do_not(tmp_path: Path) -> None:
    trusted: dict[str, object] = {"trusted_proxies": ("127.0.0.1",)}
    async with open_export(tmp_path, server=trusted) as (_, asker, answer_id):
        here, elsewhere = {"x-forwarded-for": "192.0.2.1"}, {"x-forwarded-for": "192.0.2.2"}
        while True:
            response = await asker.ask(f"{answer_id}.csv", "bad", headers=here)
            if response.status != 401:
                break
        refused(response, 429, "rate_limited")
        assert int(response.headers["retry-after"]) >= 1
        refused(await asker.ask(f"{answer_id}.csv", "bad", headers=elsewhere), 401, "token_invalid")
        assert (await asker.ask(f"{answer_id}.csv", token(), headers=here)).body == CSV.encode()


async def test_a_page_of_an_allowed_origin_may_ask_and_read_and_others_not(
    tmp_path: Path,
) -> None:
    async with open_export(tmp_path, server={"origins": (APP,)}) as (_, asker, answer_id):
        file, page, stranger = f"{answer_id}.csv", {"origin": APP}, {"origin": "https://evil.test"}
        wanted = {"access-control-request-method": "GET"}
        preflight = await asker.ask(file, method="OPTIONS", headers=page | wanted)
        assert preflight.status == 204
        assert "authorization" in preflight.headers["access-control-allow-headers"]
        for bearer in (token(), "bad", None):
            response = await asker.ask(file, bearer, headers=page)
            assert response.headers["access-control-allow-origin"] == APP
            assert "content-disposition" in response.headers["access-control-expose-headers"]
        ticket = await asker.ticket(answer_id, token())
        for method in ("OPTIONS", "GET"):
            response = await asker.ask(
                file, method=method, headers=stranger | wanted, ticket=ticket
            )
            assert response.status == 403
            assert "access-control-allow-origin" not in response.headers
        assert (await asker.ask(file, ticket=ticket)).status == 200  # it was not used up


async def test_tokens_and_tickets_are_in_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async with open_export(tmp_path) as (chat, asker, answer_id):
        good, bad = token("bob"), token("bob", secret="another secret, which is long enough too")
        ticket = await asker.ticket(answer_id, good)
        for _ in range(2):
            await asker.ask(f"{answer_id}.csv", ticket=ticket)
        await asker.ask(f"{answer_id}.csv", bad)
        assert chat.recorder.of(AuthenticationFailed)[-1].code == "token_invalid"
        said = repr(chat.recorder.events) + caplog.text + "".join(capfd.readouterr())
        for secret in (good, bad, bad.split(".")[2], ticket):
            assert secret not in said


async def test_a_peer_that_stops_reading_costs_nobody_anything_and_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_answering(tmp_path) as (chat, database):
        monkeypatch.setattr(chat.parts.http.listener._http, "_send_timeout_s", 0.2)
        # Fifty megabytes as JSON, which names the column in each row; a few hundred kilobytes here.
        long = [Column("n" * PIECE_BYTES, "integer")]
        answer_id = await answered(chat, database, long, [[number] for number in range(800)])
        admission = chat.parts.engine_io.admission
        others = admission.connections
        with socket.socket() as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.connect(chat.address)
            head = f"GET /api/answers/{answer_id}.json HTTP/1.1\r\nHost: localhost\r\n"
            stalled.sendall(f"{head}Authorization: Bearer {token()}\r\n\r\n".encode())
            await until(lambda: admission.connections == others + 1)
            answer = await Asker(chat).ask(f"{answer_id}.csv", token())
            assert answer.body.endswith(b"\r\n799\r\n")
            await until(lambda: admission.connections == others)


async def test_a_large_answer_comes_whole(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        asker = Asker(chat)
        rows = [[number, "x" * 200] for number in range(900)]
        answer_id = await answered(chat, database, [Column("n"), Column("t")], rows)
        response = await asker.ask(f"{answer_id}.ndjson", token())
        assert len(response.body) > 2 * PIECE_BYTES
        lines = [orjson.loads(line) for line in response.body.splitlines()]
        assert lines == [{"n": number, "t": text} for number, text in rows]


async def test_an_answer_is_exported_after_a_restart(tmp_path: Path) -> None:
    async with open_export(tmp_path) as (_, asker, answer_id):
        ticket = await asker.ticket(answer_id, token())
    async with open_answering(tmp_path) as (chat, _):
        asker = Asker(chat)
        assert (await asker.ask(f"{answer_id}.csv", token(rooms=[ROOM]))).body == CSV.encode()
        refused(await asker.ask(f"{answer_id}.csv", ticket=ticket), 401, "unauthorized")


async def test_downloads_count_as_requests_of_their_user(tmp_path: Path) -> None:
    async with open_export(tmp_path, limits={**FREE, "socket_events_per_minute": 3}) as opened:
        _, asker, answer_id = opened
        for what, method in (("csv", "GET"), ("csv", "HEAD"), ("nonsense", "GET")):
            assert (await asker.ask(f"{answer_id}.{what}", token(), method=method)).status != 429
        limited = await asker.ask(f"{answer_id}.csv", token())
        refused(limited, 429, "rate_limited")
        assert int(limited.headers["retry-after"]) > 0
        ticket = await asker.ask(f"{answer_id}/ticket", token(), method="POST")
        refused(ticket, 429, "rate_limited")
        assert (await asker.ask(f"{answer_id}.csv", token("bob"))).status == 200


async def test_a_download_counts_as_a_message_over_http_and_a_look_does_not(
    tmp_path: Path,
) -> None:
    async with open_export(tmp_path, limits={**FREE, "socket_messages_per_minute": 2}) as opened:
        chat, asker, answer_id = opened
        for _ in range(4):
            await asker.ask(f"{answer_id}.csv", token("bob"), method="HEAD")
            await asker.ticket(answer_id, token("bob"))
            refused(await asker.ask(f"{NOWHERE}.csv", token("bob")), 404, "not_found")
        for name in ("csv", "xlsx"):
            assert (await asker.ask(f"{answer_id}.{name}", token("bob"))).status == 200
        limited = await asker.ask(f"{answer_id}.csv", token("bob"))
        refused(limited, 429, "rate_limited")
        assert int(limited.headers["retry-after"]) >= 1
        assert [one.limit for one in chat.recorder.of(LimitHit)] == ["socket_messages_per_minute"]
        assert (await asker.ask(f"{answer_id}.csv", token("ada"))).status == 200
        bob = await chat.enter("bob")
        assert (await bob.call("chat:message", message("on a socket")))["ok"]
