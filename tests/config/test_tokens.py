"""The keys of `[auth]` that name what verifies tokens: a project, a key set, former secrets."""

from pathlib import Path
from typing import Any

import pytest

from chatd.app.errors import StartFailedError
from chatd.app.secret import (
    check_secret,
    issuer_of,
    key_set_place,
    make_keys,
    make_verifier,
    mint_token,
)
from chatd.auth import FormerSecret
from chatd.config import Config, ConfigError, explain, load
from chatd.config.sections import AuthConfig, ServerConfig
from tests.rows import rows

PROJECT = "https://abcdefgh.supabase.co"
SECRET = "a secret for the tests, of more than 32 bytes"
ENTRY = f'{{ secret = "{SECRET}", until = 2027-01-31T00:00:00Z }}'


def auth(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> AuthConfig:
    path = tmp_path / "chatd.toml"
    path.write_text(text)
    return load(path, env or {}, {}, tmp_path).config.auth


def refusal(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        auth(tmp_path, text, env)
    return str(caught.value).replace(str(tmp_path / "chatd.toml"), "chatd.toml")


@rows(
    ("text", "env"),
    [
        (f'[auth.supabase]\nurl = "{PROJECT}"', {}),
        (f'[auth.supabase]\nurl = "{PROJECT}/"', {}),
        (f'[auth]\nsupabase.url = "{PROJECT}"', {}),
        (f'[auth]\nsupabase = {{ url = "{PROJECT}" }}', {}),
        ("", {"CHATD_AUTH__SUPABASE__URL": PROJECT}),
        ('[auth.supabase]\nurl = "https://other.example"', {"CHATD_AUTH__SUPABASE__URL": PROJECT}),
    ],
)
def test_a_project_is_named_by_one_line(text: str, env: dict[str, str], tmp_path: Path) -> None:
    config = Config(auth=auth(tmp_path, text, env))
    assert key_set_place(config) == f"{PROJECT}/auth/v1/.well-known/jwks.json"
    assert issuer_of(config) == f"{PROJECT}/auth/v1"
    assert config.auth.audience == "authenticated"


def test_what_is_written_beside_the_project_wins_over_it(tmp_path: Path) -> None:
    text = f'[auth]\njwks = "keys.json"\nissuer = "me"\nsupabase.url = "{PROJECT}"'
    config = Config(auth=auth(tmp_path, text))
    assert (key_set_place(config), issuer_of(config)) == ("keys.json", "me")


@pytest.mark.parametrize("url", ["http://127.0.0.1:54321", "http://localhost:54321",
                                 "http://[::1]:54321", "https://db.example/supabase"])  # fmt: skip
def test_a_project_on_this_machine_and_one_below_a_path_are_projects(
    url: str, tmp_path: Path
) -> None:
    config = Config(auth=auth(tmp_path, f'[auth.supabase]\nurl = "{url}"'))
    assert key_set_place(config) == f"{url}/auth/v1/.well-known/jwks.json"


BAD_URLS = [
    "http://abcdefgh.supabase.co", "http://10.0.0.1", "http://127.0.0.1.evil.example",
    "http://localhost.evil.example", "abcdefgh.supabase.co", "abcdefgh", "ftp://a.example",
    "https://", "https://user:password@a.example", "https://a.example@evil.example",
    "https://a.example:0", "https://a.example:x", "https://[::1", "https://a b.example",
]  # fmt: skip


@rows(
    "value",
    [
        *(f'"{url}"' for url in BAD_URLS),
        f'"{PROJECT}/auth/v1"', f'"{PROJECT}/auth/v1/.well-known/jwks.json"',
        f'"{PROJECT}/rest/v1/"', f'"{PROJECT}?apikey=x"', f'"{PROJECT}#x"', "7", '["x"]', "true",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_project_is_refused(value: str, tmp_path: Path) -> None:
    said = refusal(tmp_path, f"[auth.supabase]\nurl = {value}")
    assert said.startswith("chatd.toml, line 2: auth.supabase.url must be the address of the ")
    assert "password" not in said


def test_another_key_of_the_project_is_told_with_the_one_that_there_is(tmp_path: Path) -> None:
    said = refusal(tmp_path, f'[auth.supabase]\nurl = "{PROJECT}"\nkey = "sb_secret_x"')
    assert said == "chatd.toml, line 3: auth.supabase.key is not a key; known are url."
    said = refusal(tmp_path, "", {"CHATD_AUTH__SUPABASE_URL": PROJECT})
    assert said.endswith("did you mean CHATD_AUTH__SUPABASE__URL?")


@rows(
    "place",
    ["https://issuer.example/keys", "https://i.example:8443/k?p=policy", "http://127.0.0.1:1/k",
     "keys.json", "/etc/chatd/keys.json", "../keys.json", ""],
)  # fmt: skip
def test_a_key_set_is_an_address_or_a_file(place: str, tmp_path: Path) -> None:
    assert auth(tmp_path, f'[auth]\njwks = "{place}"').jwks == place
    assert auth(tmp_path, "", {"CHATD_AUTH__JWKS": place}).jwks == place


@rows("value", [*(f'"{url}"' for url in BAD_URLS if "://" in url), "7", "[]", "{}", '"/"', '"."'])
def test_a_key_set_does_not_come_from_where_others_could_change_it(
    value: str, tmp_path: Path
) -> None:
    said = refusal(tmp_path, f"[auth]\njwks = {value}")
    assert said.startswith("chatd.toml, line 2: auth.jwks must be an address as ")
    assert "user:password" not in said


def test_former_secrets_have_an_end(tmp_path: Path) -> None:
    text = ENTRY.replace("2027-01-31T00:00:00Z", '"2027-01-31T01:00:00+01:00"')
    for written in (
        auth(tmp_path, f"[auth]\nformer_secrets = [{ENTRY}]"),
        auth(tmp_path, f"[auth]\nformer_secrets = [{text}]"),
        auth(tmp_path, "", {"CHATD_AUTH__FORMER_SECRETS": f"[{ENTRY}]"}),
    ):
        assert written.former_secrets == (FormerSecret(SECRET, 1_801_353_600.0),)
        assert SECRET not in repr(written)


@rows(
    "value",
    [
        f'"{SECRET}"', f'["{SECRET}"]', f'{{ secret = "{SECRET}" }}',
        f'[{{ secret = "{SECRET}" }}]', "[{ until = 2027-01-31T00:00:00Z }]",
        f'[{{ secret = "{SECRET}", until = 2027-01-31 }}]',
        f'[{{ secret = "{SECRET}", until = 2027-01-31T00:00:00 }}]',
        f'[{{ secret = "{SECRET}", until = 1801353600 }}]',
        f'[{{ secret = "{SECRET}", until = "soon" }}]',
        f'[{{ secret = "{SECRET}", until = 2027-01-31T00:00:00Z, kid = "x" }}]',
        f'[{{ secret = ["{SECRET}"], until = 2027-01-31T00:00:00Z }}]',
        '[{ secret = "", until = 2027-01-31T00:00:00Z }]',
        f'[{{ secret = """{SECRET}\n""", until = 2027-01-31T00:00:00Z }}]',
    ],
)  # fmt: skip
def test_a_wrong_list_of_secrets_is_refused_and_shows_none(value: str, tmp_path: Path) -> None:
    assert SECRET not in refusal(tmp_path, f"[auth]\nformer_secrets = {value}")
    said = refusal(tmp_path, "", {"CHATD_AUTH__FORMER_SECRETS": value})
    assert said.startswith("environment variable CHATD_AUTH__FORMER_SECRETS: auth.former_secrets")
    assert SECRET not in said


def test_explain_shows_no_former_secret(tmp_path: Path) -> None:
    path = tmp_path / "chatd.toml"
    path.write_text(f'[auth]\nformer_secrets = [{ENTRY}]\nsupabase.url = "{PROJECT}"')
    text = explain(load(path, {}, {}, tmp_path))
    assert SECRET not in text
    assert 'former_secrets = "(set, 1)"' in text
    assert f'supabase.url = "{PROJECT}"' in text


def test_who_else_is_let_in_is_one_of_few(tmp_path: Path) -> None:
    assert auth(tmp_path, '[auth]\nallow = ["anonymous", "anon"]').allow == ("anonymous", "anon")
    assert auth(tmp_path, "", {"CHATD_AUTH__ALLOW": "anonymous"}).allow == ("anonymous",)
    assert "auth.allow[0] must be one of" in refusal(tmp_path, '[auth]\nallow = ["anonymus"]')


@rows(
    "keys",
    [{"jwt_secret": SECRET}, {"jwks": "keys.json"}, {"supabase": PROJECT},
     {"former_secrets": (FormerSecret(SECRET, 2e9),)}],
)  # fmt: skip
def test_each_of_them_is_enough_beyond_loopback(keys: dict[str, Any]) -> None:
    config = Config(server=ServerConfig(host="0.0.0.0"), auth=AuthConfig(**keys))
    check_secret(config)
    assert make_verifier(config, make_keys(config, config.auth.jwt_secret or None))


def test_a_minted_token_of_a_project_is_one_that_the_daemon_takes() -> None:
    config = Config(auth=AuthConfig(jwt_secret=SECRET, supabase=PROJECT))
    token = mint_token(config, SECRET, "ada", ["demo"], None, 60, 1_790_000_000.0)
    identity = make_verifier(config, make_keys(config, SECRET)).verify(token, 1_790_000_000.0)
    assert identity.claims["iss"] == f"{PROJECT}/auth/v1"


def test_none_of_them_is_not() -> None:
    with pytest.raises(StartFailedError, match=r"set auth\.supabase\.url, auth\.jwks or"):
        check_secret(Config(server=ServerConfig(host="0.0.0.0")))


@rows(
    ("keys", "said"),
    [
        ({"jwt_secret": "short"}, "auth.jwt_secret: the token secret has 5 bytes"),
        ({"jwt_secret": SECRET, "former_secrets": (FormerSecret("short", 2e9),)},
         "auth.former_secrets: the token secret has 5 bytes"),
        ({"jwt_secret": SECRET, "former_secrets": (FormerSecret(SECRET, 2e9),) * 8},
         "auth.former_secrets: 9 secrets are too many"),
    ],
)  # fmt: skip
def test_a_secret_that_is_no_good_is_told_by_its_key(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(StartFailedError) as caught:
        check_secret(Config(auth=AuthConfig(**keys)))
    assert str(caught.value).startswith(said)
