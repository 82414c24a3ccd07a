"""A daemon with Supabase's users: a key set served on this machine, tokens of each shape, the
command that checks them, and a log that holds none of them."""

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest
import trio

from tests.app.client import Client, Refused, token_for
from tests.app.daemon import Daemon, Finished, House, fetch_inside
from tests.auth.issuer import issued, jwk, key_set
from tests.auth.key_server import KeyServer, answer, key_server

SECRET = "the legacy secret of the project, of 32 bytes and more"
OLD_SECRET = "the secret of before, of 32 bytes and more than that"
USER = "3f1c9a52-0a4b-4f0c-9a2e-0f7c1c9d1b11"


@asynccontextmanager
async def project() -> AsyncIterator[KeyServer]:
    """A project of Supabase with a signing key."""
    async with key_server(answer(key_set(jwk("ES256"), jwk("RS256")))) as server:
        yield server


def session_token(server: KeyServer, number: int = 0, **changes: Any) -> str:
    """An access token in the form of Supabase's, signed by ES256."""
    now_s = int(time.time())
    claims = {
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": now_s}],
        "app_metadata": {"provider": "email", "providers": ["email"], "connections": ["demo"]},
        "aud": "authenticated",
        "email": "ada@example.org",
        "exp": now_s + 3600,
        "iat": now_s,
        "is_anonymous": False,
        "iss": f"{server.origin}/auth/v1",
        "phone": "",
        "role": "authenticated",
        "session_id": "6f1f2c1e-5b8f-4a68-9d2f-1f6f0c3c9a11",
        "sub": USER,
        "user_metadata": {"full_name": "Ada Lovelace"},
    }
    return issued("ES256", number, claims | changes)


def legacy_key(role: str) -> str:
    """The API key of a project in its legacy form."""
    claims = {"iss": "supabase", "ref": "abcdefgh", "role": role, "exp": 2_015_000_000}
    return token_for(SECRET, "x", iat=1_700_000_000, **claims)


def configured(house: House, server: KeyServer, more: str = "") -> None:
    house.config(
        f"""
        [auth]
        jwt_secret = "{SECRET}"
        former_secrets = [{{ secret = "{OLD_SECRET}", until = 2099-01-31T00:00:00Z }}]
        {more}
        [auth.supabase]
        url = "{server.origin}"
        [directory]
        claim = "app_metadata.connections"
        [log]
        level = "debug"
        """
    )


async def refusal(nursery: trio.Nursery, daemon: Daemon, shown: object) -> dict[str, Any]:
    with pytest.raises(Refused) as caught:
        await Client.connect(nursery, daemon.port, shown)  # type: ignore[arg-type]
    return caught.value.args[0]  # type: ignore[no-any-return]


async def come_in(nursery: trio.Nursery, daemon: Daemon, shown: str) -> Client | None:
    """The client of a token; None where it is told to try again, as nobody knows its key yet."""
    code = "internal"
    try:
        return await Client.connect(nursery, daemon.port, shown)
    except Refused as error:
        code = error.code
    assert code == "internal"
    return None


async def test_users_of_supabase_come_in_with_one_line_of_configuration(
    house: House, nursery: trio.Nursery
) -> None:
    async with project() as server:
        configured(house, server)
        daemon = await house.start()
        read = await daemon.event("keys.read")
        assert read["place"] == server.url
        assert read["keys"] == 2
        shown: list[object] = []
        session = {"access_token": session_token(server), "refresh_token": "v7rTgqWqUDR2aNyR"}
        encoded = base64.urlsafe_b64encode(json.dumps(session).encode()).decode().rstrip("=")
        for form in (
            session_token(server),
            f"Bearer {session_token(server)}\n",
            json.dumps(session),
            session,
            f"base64-{encoded}",
            quote(json.dumps(session)),
            f"https://chat.example/#access_token={session_token(server)}&token_type=bearer",
        ):
            shown.append(form)
            client = await Client.connect(nursery, daemon.port, form)  # type: ignore[arg-type]
            status = await client.hear("connection:status")
            assert (status["userId"], status["name"]) == (USER, "Ada Lovelace")
            assert [room["connectionId"] for room in status["rooms"]] == ["demo"]
            await client.close()

        issuer = f"{server.origin}/auth/v1"
        for secret in (SECRET, OLD_SECRET):
            by_secret = token_for(secret, "bob", iss=issuer)
            shown.append(by_secret)
            await (await Client.connect(nursery, daemon.port, by_secret)).close()

        refused = {
            "anon key": legacy_key("anon"),
            "service_role key": legacy_key("service_role"),
            "anonymous": session_token(server, is_anonymous=True),
            "publishable": "sb_publishable_ACJWlzQHlZjBrEguHvfOxg",
            "sb_secret": "sb_secret_N7UND0UgjKTVKUodkm0HgxSvEM",
            "refresh token": "v7rTgqWqUDR2aNyRVdLdPw",
            "issuer": session_token(server, iss="https://other.supabase.co/auth/v1"),
            "audience": session_token(server, aud="anon"),
        }
        for word, form in refused.items():
            error = await refusal(nursery, daemon, form)
            assert error["data"]["code"] == "token_invalid"
            assert word in error["message"]
            shown.append(form)
        expired = session_token(server, exp=int(time.time()) - 60)
        assert (await refusal(nursery, daemon, expired))["data"]["code"] == "token_expired"

        rotated = session_token(server, 1)
        server.answer = answer(key_set(jwk("ES256", 1)))
        with trio.fail_after(60):
            while True:  # the set was read a moment ago, so the first may be told to come again
                found = await come_in(nursery, daemon, rotated)
                if found is not None:
                    break
        client = found
        assert (await client.hear("connection:status"))["userId"] == USER
        renewed = session_token(server, 1, exp=int(time.time()) + 7200)
        assert (await client.ask("auth:refresh", {"token": f" Bearer {renewed} "}))["ok"]
        withdrawn = session_token(server)
        assert (await client.ask("auth:refresh", {"token": withdrawn}))["error"]["code"] in (
            "token_invalid",
            "internal",
        )
        await daemon.stop()
        secrets = [SECRET, OLD_SECRET, expired, rotated, renewed, withdrawn, *map(str, shown)]
        nothing_of(secrets, daemon.err.text + daemon.out.text)


def nothing_of(secrets: list[str], log: str) -> None:
    """No word of any of these that is long enough to be told apart stands in a log."""
    assert log.count("authentication.failed") > 5, "there is something to look through"
    words = {
        word
        for secret in secrets
        for word in secret.replace("%22", " ").replace('"', " ").replace("=", " ").split()
    }
    parts = {part for word in words for part in word.split(".") if len(part) > 19}
    assert len(parts) > 10
    for part in parts:
        assert part not in log, "a token, or a part of one, stands in the log"
        assert part[:40] not in log
    assert "eyJ" not in log


async def test_a_daemon_starts_without_the_key_set_and_takes_it_when_it_is_there(
    house: House, nursery: trio.Nursery
) -> None:
    async with project() as server:
        whole, server.answer = server.answer, answer(b"", "503 Service Unavailable")
        configured(house, server)
        daemon = await house.start()
        failed = await daemon.event("keys.failed")
        assert failed["reason"] == "is answered with HTTP 503"
        assert await reasons_of(house) == ["keys_unavailable"]
        error = await refusal(nursery, daemon, session_token(server))
        assert error["data"] == {"code": "internal", "retryable": True, "retryAfterMs": 10_000}
        refused = await daemon.event("authentication.failed")
        assert "HTTP 503; no token that its keys sign is taken" in refused["reason"]
        by_secret = token_for(SECRET, "bob", iss=f"{server.origin}/auth/v1")
        await (await Client.connect(nursery, daemon.port, by_secret)).close()
        server.answer = whole
        with trio.fail_after(60):
            while not daemon.events("keys.read"):
                client = await come_in(nursery, daemon, session_token(server))
                if client is not None:
                    await client.close()
        await (await Client.connect(nursery, daemon.port, session_token(server))).close()
        assert await reasons_of(house) == []
        await daemon.stop()


async def reasons_of(house: House) -> list[str]:
    """What readiness finds amiss, by its codes."""
    _, _, body = await fetch_inside(house.state_dir / "internal.sock", "/readyz")
    codes = [reason["code"] for reason in json.loads(body)["reasons"]]
    return [code for code in codes if not code.startswith("db_")]  # one may be on its way


async def test_an_issuer_alone_is_enough_beyond_loopback_and_nobody_is_invited(
    house: House,
) -> None:
    async with project() as server:
        env = {"CHATD_AUTH__SUPABASE__URL": server.origin}
        daemon = await house.start("--host", "0.0.0.0", env=env)
        await daemon.event("keys.read")
        assert daemon.out.text == ""
        assert not (house.state_dir / "jwt-secret").exists()
        minted = await house.run("token", "mint", "--user", "ada", env=env)
        assert minted.code == 78
        assert "There is no auth.jwt_secret to sign with" in minted.err
        assert server.url in minted.err
        await daemon.stop()


def lines(done: Finished) -> dict[str, str]:
    """What `token check` says, by the word before the colon."""
    return dict(line.split(": ", 1) for line in done.out.splitlines() if ": " in line)


async def test_a_token_can_be_checked_as_it_was_copied(house: House) -> None:
    async with project() as server:
        configured(house, server)
        token = session_token(server)
        session = json.dumps({"access_token": token, "refresh_token": "v7rTgqWqUDR2aNyRVdLdPw"})
        old = token_for(OLD_SECRET, "bob", iss=f"{server.origin}/auth/v1")
        given = {
            "bare": token,
            "session": session,
            "old": old,
            "anon": legacy_key("anon"),
            "unknown": session_token(server, 1),
            "refresh": "v7rTgqWqUDR2aNyRVdLdPw",
        }
        done: dict[str, Finished] = {}

        async def check(name: str) -> None:
            done[name] = await house.run("token", "check", given=given[name].encode())

        async with trio.open_nursery() as nursery:
            for name in given:
                nursery.start_soon(check, name)
        for name in ("bare", "session"):
            assert done[name].code == 0, done[name].err
            assert f"The token is good for user '{USER}'" in done[name].out
            assert lines(done[name])["signed"] == f"ES256, with the key ES256-0 of {server.url}"
            assert lines(done[name])["rooms"] == "demo"
        assert lines(done["old"])["signed"] == "HS256, with a secret, until 2099-01-31 00:00:00 UTC"
        for name, said in (
            ("anon", 'auth.allow does not list "anon"'),
            ("unknown", 'The token\'s key (kid) is "ES256-1"; the key set has no such key'),
            ("refresh", "refresh token"),
        ):
            assert done[name].code == 1
            assert said in done[name].err
            assert given[name] not in done[name].err
        server.answer = answer(b"<html>", "200 OK")
        failed = await house.run("token", "check", given=token.encode())
        assert failed.code == 1
        assert f"The key set {server.url} is not JSON." in failed.err
        assert "Nobody can say whether the token is good" in failed.err
        assert "no such key" not in failed.err


async def test_revocations_outlive_the_daemon_and_a_damaged_list_lets_nobody_in(
    house: House, nursery: trio.Nursery
) -> None:
    env = {"CHATD_AUTH__JWT_SECRET": SECRET}
    token = token_for(SECRET, "ada")
    house.state_dir.mkdir(mode=0o700, parents=True)
    path = house.state_dir / "revocations.json"
    moment_s = time.time() + 9  # as where the issuer's clock is ahead
    path.write_text(json.dumps({"version": 1, "everybody": None, "users": {"ada": moment_s}}))
    daemon = await house.start(env=env)
    assert (await refusal(nursery, daemon, token))["data"]["code"] == "token_revoked"
    await (await Client.connect(nursery, daemon.port, token_for(SECRET, "bob"))).close()
    checked = await house.run("token", "check", env=env, given=token.encode())
    assert checked.code == 1
    assert "token_revoked: An administrator has ended your sessions" in checked.err
    minted = await house.run("token", "mint", "--user", "ada", env=env)
    await (await Client.connect(nursery, daemon.port, minted.out)).close()
    await daemon.stop()
    path.write_text("{")
    failed = await house.run("serve", "--port", "0", env=env)
    assert failed.code == 74
    assert "is damaged. Bring it back from a backup" in failed.err
    minted = await house.run("token", "mint", "--user", "ada", env=env)
    assert (minted.code, minted.out) == (74, "")
