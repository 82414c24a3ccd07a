"""Layers, strictness and sentences of `load`."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatd.answers.mcp.settings import DatabaseSettings
from chatd.auth import FileConnection
from chatd.config import PLACES, Config, ConfigError, Loaded, ServerConfig, load
from chatd.config.names import variables
from chatd.config.sections import sections
from tests.rows import rows

LINE = re.compile(r"(?<=chatd\.toml), line \d+")
SECRET = "correct-horse-battery-staple-0123456789"


def from_text(tmp_path: Path, text: str) -> Loaded:
    (tmp_path / "chatd.toml").write_text(text)
    return load(None, {}, {}, tmp_path, places=[Path("chatd.toml")])


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        from_text(tmp_path, text)
    return LINE.sub("", str(caught.value).replace(f"{tmp_path}/", ""))


def env_refusal(tmp_path: Path, **env: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(None, env, {}, tmp_path, places=())
    return str(caught.value)


def flag_refusal(tmp_path: Path, **overrides: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(None, {}, {k.replace("__", "."): v for k, v in overrides.items()}, tmp_path, places=())
    return str(caught.value)


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    loaded = load(None, {}, {}, tmp_path, places=())
    assert loaded.config == Config()
    assert loaded.source is None
    assert set(loaded.origin.values()) == {"default"}


def test_the_defaults_are_the_documented_ones() -> None:
    flat = {
        f"{section}.{name}": value
        for section in sections()
        for name, value in attrs.asdict(getattr(Config(), section), recurse=False).items()
    }
    assert Config().databases == {"demo": DatabaseSettings(sample=True)}
    assert flat == {
        "server.host": "127.0.0.1",
        "server.port": 8765,
        "server.socket_mode": "0660",
        "server.origins": (),
        "server.internal": "",
        "server.internal_admin": False,
        "server.trusted_proxies": (),
        "server.proxy_headers": "x-forwarded",
        "server.proxy_protocol": False,
        "server.max_payload_bytes": 1_000_000,
        "server.ping_interval_s": 25.0,
        "server.ping_timeout_s": 20.0,
        "server.drain_timeout_s": 10.0,
        "server.connect_timeout_s": 10.0,
        "server.head_timeout_s": 10.0,
        "server.max_head_bytes": 16_384,
        "server.max_connections": 20_000,
        "server.backlog_bytes": 1_048_576,
        "server.accept_backlog": 4096,
        "server.upgrade_timeout_s": 10.0,
        "auth.jwt_secret": "",
        "auth.former_secrets": (),
        "auth.jwks": "",
        "auth.supabase": "",
        "auth.allow": (),
        "auth.audience": "authenticated",
        "auth.issuer": "",
        "auth.query_token": True,
        "auth.leeway_s": 30,
        "auth.max_token_bytes": 8192,
        "directory.source": "claim",
        "directory.claim": "connections",
        "directory.url": "",
        "directory.query": "",
        "directory.ttl_s": 60.0,
        "directory.outage_s": 300.0,
        "directory.timeout_s": 5.0,
        "directory.pool_connections": 4,
        "directory.connections": {},
        "state.dir": "",
        "state.url": "",
        "state.schema": "chatd",
        "state.durability": "fsync",
        "state.snapshot_interval_s": 60.0,
        "state.min_free_bytes": 268_435_456,
        "cluster.node": "",
        "cluster.dead_after_s": 10.0,
        "bus.url": "",
        "messages.markup": "neutralise",
        "messages.content_chars": 10_000,
        "messages.history_on_join": 50,
        "messages.history_page": 200,
        "messages.keep_days": 0,
        "messages.keep_per_room": 0,
        "limits.user_messages_per_minute": 30,
        "limits.socket_messages_per_minute": 60,
        "limits.room_messages_per_minute": 600,
        "limits.user_typing_per_minute": 10,
        "limits.user_changes_per_minute": 60,
        "limits.socket_events_per_minute": 600,
        "limits.sockets_per_user": 20,
        "limits.sessions_per_address": 2000,
        "limits.pending_sessions_per_address": 1500,
        "limits.connections_per_address": 4000,
        "limits.rooms_per_socket": 100,
        "limits.handshakes_per_second": 2000,
        "auth.admin_claim": "",
        "auth.admin_role": "admin",
        "audit.keep_days": 365,
        "answers.enabled": True,
        "answers.max_rows": 1000,
        "answers.max_bytes": 262_144,
        "answers.export_rows": 0,
        "answers.export_bytes": 67_108_864,
        "answers.export_timeout_s": 50.0,
        "answers.timeout_s": 30.0,
        "answers.answers_per_user": 2,
        "answers.answers_per_room": 4,
        "answers.answers_per_database": 8,
        "answers.wait_s": 5.0,
        "answers.cache_ttl_s": 30.0,
        "answers.cancel": "asker",
        "web.enabled": True,
        "web.title": "chatd",
        "web.login_url": "",
        "api.enabled": True,
        "api.requests_per_user": 8,
        "api.owed_bytes": 67_108_864,
        "api.tokens": {},
        "log.format": "auto",
        "log.level": "info",
    }


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "chatd.toml"
    file.write_text("[server]\nport = 1\nhost = 'a'\nmax_connections = 7\n")
    env = {"CHATD_SERVER__PORT": "2", "CHATD_SERVER__HOST": "b"}
    loaded = load(None, env, {"server.port": 3, "server.host": None}, tmp_path)
    server = loaded.config.server
    assert (server.port, server.host, server.max_connections) == (3, "b", 7)
    assert loaded.source == file
    assert loaded.origin["server.port"] == "the command line"
    assert loaded.origin["server.host"] == "$CHATD_SERVER__HOST"
    assert loaded.origin["server.max_connections"] == str(file)
    assert loaded.origin["server.origins"] == "default"


def test_the_first_file_that_exists_is_read(tmp_path: Path) -> None:
    for name in ("flag", "variable", "here", "system"):
        (tmp_path / name).write_text(f"[server]\nhost = '{name}'\n")
    places = [Path("missing"), Path("here"), tmp_path / "system"]

    def host(path: Path | None, env: dict[str, str], places: list[Path]) -> str:
        return load(path, env, {}, tmp_path, places).config.server.host

    variable = {"CHATD_CONFIG": "variable"}
    assert host(Path("flag"), variable, places) == "flag"
    assert host(None, variable, places) == "variable"
    assert host(None, {"CHATD_CONFIG": ""}, places) == "here"
    assert host(None, {}, [places[0], places[2]]) == "system"
    assert (Path("chatd.toml"), Path("/etc/chatd/chatd.toml")) == PLACES


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(Path("no.toml"), {}, {}, tmp_path)
    assert str(caught.value) == (
        f"the configuration file {tmp_path}/no.toml, named by the command line, does not exist; "
        "create it, or name another one."
    )
    assert env_refusal(tmp_path, CHATD_CONFIG="no.toml") == (
        f"the configuration file {tmp_path}/no.toml, named by the environment variable "
        "CHATD_CONFIG, does not exist; create it, or name another one."
    )


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {}, {}, tmp_path)
    assert str(caught.value) == (
        f"the configuration file {tmp_path} cannot be read (it is a directory, not a file); "
        "it must be a file that this user may read."
    )
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name, why in (
        ("pipe", "it is a pipe, not a file"),
        ("loop", "Too many levels of symbolic links"),
    ):
        with pytest.raises(ConfigError) as caught:
            load(Path(name), {}, {}, tmp_path)
        assert str(caught.value) == (
            f"the configuration file {tmp_path}/{name} cannot be read ({why}); "
            "it must be a file that this user may read."
        )
    (tmp_path / "latin").write_bytes(b"# \xe9\n")
    with pytest.raises(ConfigError) as caught:
        load(Path("latin"), {}, {}, tmp_path)
    assert str(caught.value) == (
        f"the configuration file {tmp_path}/latin is not UTF-8; save it as UTF-8 text."
    )
    with pytest.raises(ConfigError, match="is not the name of a file; name a configuration file"):
        load(Path("a\0b"), {}, {}, tmp_path)


@rows(
    ("text", "sentence"),
    [
        (
            "port = 1",
            "chatd.toml: port stands in no section; write it below [server].",
        ),
        (
            "prot = 1",
            (
                "chatd.toml: [prot] is not a section; known are server, auth, directory, state, "
                "cluster, bus, messages, limits, answers, audit, web, api, log, databases."
            ),
        ),
        ("[sever]", "chatd.toml: [sever] is not a section; did you mean server?"),
        ("server = 5", "chatd.toml: server must be a section, written [server], not a number."),
        (
            "[server]\nprot = 1",
            "chatd.toml: server.prot is not a key; did you mean server.port?",
        ),
        (
            "[auth]\nport = 1",
            "chatd.toml: auth.port is not a key; did you mean server.port?",
        ),
        (
            '[state]\n"a\\u001bb" = 1',
            (
                'chatd.toml: state."a\\u001bb" is not a key; known are state.dir, state.url, '
                "state.schema, state.durability, state.snapshot_interval_s, state.min_free_bytes, "
                "state.url_file."
            ),
        ),
        (
            "[server]\nport = '8765'",
            'chatd.toml: server.port must be a whole number from 0 to 65535, not the text "8765".',
        ),
        (
            "[server]\nport = true",
            "chatd.toml: server.port must be a whole number from 0 to 65535, not true.",
        ),
        (
            "[server]\nport = 65536",
            "chatd.toml: server.port must be a whole number from 0 to 65535, not 65536.",
        ),
        (
            "[server]\nport = 1.0",
            "chatd.toml: server.port must be a whole number from 0 to 65535, not 1.0.",
        ),
        (
            "[server]\nport = 1979-05-27",
            "chatd.toml: server.port must be a whole number from 0 to 65535, not a date.",
        ),
        (
            "[server]\nport = 0x" + "f" * 9999,
            (
                "chatd.toml: server.port must be a whole number from 0 to 65535, "
                "not a number of that many digits."
            ),
        ),
        (
            "[server]\nport = " + "9" * 9999,
            "chatd.toml: not valid TOML, correct it here: a number is too long.",
        ),
        (
            "[server]\nport =",
            "chatd.toml: not valid TOML, correct it here: Invalid value (at end of document).",
        ),
        *(
            (
                f"[server]\ninternal = '{place}'",
                (
                    "chatd.toml: server.internal must be the absolute path of a socket, or "
                    f'"127.0.0.1:PORT", not the text "{place}".'
                ),
            )
            for place in (
                "9100",
                "localhost",
                "run/chatd.sock",
                ":9100",
                "127.0.0.1:",
                "127.0.0.1:65536",
                "127.0.0.1:100000",
                "::1:9100",
                "a b:9100",
                "off",
            )
        ),
        (
            "x = " + "[" * 100_000,
            "chatd.toml: the file is nested too deeply; a key needs no nesting.",
        ),
        (
            "[server]\nping_interval_s = 0",
            (
                "chatd.toml: server.ping_interval_s must be a number of seconds "
                'from 0.001 to 1000000, or a text such as "10 s", "5 min" or "2 h", not 0.'
            ),
        ),
        (
            "[server]\nping_timeout_s = nan",
            (
                "chatd.toml: server.ping_timeout_s must be a number of seconds "
                'from 0.001 to 1000000, or a text such as "10 s", "5 min" or "2 h", not nan.'
            ),
        ),
        (
            "[server]\norigins = 'https://a.example'",
            (
                "chatd.toml: server.origins must be a list: an origin without a path, "
                'as in ["https://chat.example.com"], not the text "https://a.example".'
            ),
        ),
        (
            "[server]\norigins = ['https://a.example', 'https://b.example/']",
            (
                "chatd.toml: server.origins[1] must be an origin without a path, "
                'as in ["https://chat.example.com"], not the text "https://b.example/".'
            ),
        ),
        (
            "[server]\ntrusted_proxies = ['10.0.0.1/8']",
            (
                "chatd.toml: server.trusted_proxies[0] must be a network or address, "
                'as in ["10.0.0.0/8", "::1", "unix:"], not the text "10.0.0.1/8".'
            ),
        ),
        (
            "[server]\nhost = 'unix:chatd.sock'",
            (
                'chatd.toml: server.host must be a host name or address, or "unix:" and the '
                'absolute path of a socket, not the text "unix:chatd.sock".'
            ),
        ),
        (
            "[server]\nhost = ''",
            (
                'chatd.toml: server.host must be a host name or address, or "unix:" and the '
                "absolute path of a socket, not an empty text."
            ),
        ),
        (
            "[server]\nsocket_mode = '0668'",
            (
                "chatd.toml: server.socket_mode must be the permissions of a file in octal digits, "
                'as "0660", not the text "0668".'
            ),
        ),
        (
            "[server]\nproxy_protocol = true",
            (
                "chatd.toml: server.proxy_protocol needs server.trusted_proxies, or every "
                "connection is closed; list the addresses from which your proxy connects."
            ),
        ),
        (
            "[server]\nhost = 'unix:/run/a.sock'\ninternal = '/run/a.sock'",
            (
                "chatd.toml: server.internal must be another socket than server.host; choose "
                "another, or leave it out."
            ),
        ),
        (
            "[auth]\nquery_token = 1",
            "chatd.toml: auth.query_token must be true or false, not 1.",
        ),
        (
            "[auth]\naudience = ''",
            (
                "chatd.toml: auth.audience must be a text of at least one character, "
                "not an empty text."
            ),
        ),
        (
            "[state]\nurl = 'mysql://chat:hunter2@db/app'",
            (
                "chatd.toml: state.url must be the address of a PostgreSQL database, as "
                '"postgresql://USER:PASSWORD@HOST/NAME", not another text.'
            ),
        ),
        (
            "[state]\nschema = 'pg_chatd'",
            (
                "chatd.toml: state.schema must be 1 to 63 of a-z, 0-9 and _, beginning with a "
                'letter or _, and not with pg_, not the text "pg_chatd".'
            ),
        ),
        (
            "[state]\nschema = 'Chat; DROP'",
            (
                "chatd.toml: state.schema must be 1 to 63 of a-z, 0-9 and _, beginning with a "
                'letter or _, and not with pg_, not the text "Chat; DROP".'
            ),
        ),
        (
            "[state]\ndurability = 'sync'",
            'chatd.toml: state.durability must be one of "fsync", "write", not the text "sync".',
        ),
        (
            "[limits]\nsockets_per_user = 0",
            "chatd.toml: limits.sockets_per_user must be a number above 0, not 0.",
        ),
        (
            "[limits]\nsockets_per_user = []",
            "chatd.toml: limits.sockets_per_user must be a number above 0, not a list.",
        ),
        (
            "[log.level]",
            (
                'chatd.toml: log.level must be one of "debug", "info", "warning", "error", '
                "not a table."
            ),
        ),
        (
            "[directory]\nconnections = 1",
            (
                "chatd.toml: directory.connections must be tables "
                "[directory.connections.<connectionId>], not 1."
            ),
        ),
        (
            "[directory.connections]\ndemo = 1",
            (
                "chatd.toml: directory.connections.demo must be a table with title, users, owners "
                "and viewers, not 1."
            ),
        ),
        (
            "[directory]\nurl = 'db.example.com password=hunter2'",
            (
                "chatd.toml: directory.url must be the address of a PostgreSQL database, as "
                '"postgresql://USER:PASSWORD@HOST/NAME", not another text.'
            ),
        ),
        (
            "[directory]\nquery = 'SELECT 1'",
            (
                "chatd.toml: directory.query must be one SQL statement that reads, with $1 where "
                'the user id belongs, not the text "SELECT 1".'
            ),
        ),
        (
            "[directory]\nquery = 'SELECT $10'",
            (
                "chatd.toml: directory.query must be one SQL statement that reads, with $1 where "
                'the user id belongs, not the text "SELECT $10".'
            ),
        ),
        (
            "[directory]\nsource = 'sql'",
            (
                'chatd.toml: directory.source = "sql" needs directory.url, the address of its '
                "database."
            ),
        ),
        (
            "[directory]\nurl = 'postgresql://ada:hunter2@db/sales'",
            (
                'chatd.toml: directory.url is used with directory.source = "sql" only; say so, or '
                "leave it out."
            ),
        ),
        (
            "[directory.connections.demo]",
            (
                "chatd.toml: directory.connections.demo.users is missing; "
                'write a list of user ids, or ["*"] for everybody.'
            ),
        ),
        (
            "[directory.connections.demo]\nuser = []",
            "chatd.toml: directory.connections.demo.user is not a key; did you mean users?",
        ),
        (
            "[directory.connections.demo]\nusers = '*'",
            (
                "chatd.toml: directory.connections.demo.users must be a list of user ids, "
                'or ["*"], not the text "*".'
            ),
        ),
        (
            "[directory.connections.demo]\nusers = ['a', 'db:x']",
            (
                "chatd.toml: directory.connections.demo.users[1] must be a user id (1 to 255 "
                "printable ASCII characters that open no HTML tag, without a space at either "
                'end, and not beginning with "db:", "bot:" or "chatd:" in any case), not the text '
                '"db:x".'
            ),
        ),
        (
            "[directory.connections.demo]\nusers = ['ada ']",
            (
                "chatd.toml: directory.connections.demo.users[0] must be a user id (1 to 255 "
                "printable ASCII characters that open no HTML tag, without a space at either "
                'end, and not beginning with "db:", "bot:" or "chatd:" in any case), not the text '
                '"ada ".'
            ),
        ),
        (
            "[directory.connections.demo]\nusers = ['a', '*']",
            (
                "chatd.toml: directory.connections.demo.users must be either user ids or "
                '["*"] alone, not both.'
            ),
        ),
        (
            "[directory.connections.demo]\nusers = []\ntitle = ''",
            (
                "chatd.toml: directory.connections.demo.title must be a text of at least one "
                "character, not an empty text."
            ),
        ),
        (
            "[directory.connections.'é']\nusers = []",
            (
                'chatd.toml: directory.connections."\\u00e9" must have a name of 1 to 128 '
                "printable ASCII characters that open no HTML tag."
            ),
        ),
        (
            "[directory.connections.'a<b']\nusers = []",
            (
                'chatd.toml: directory.connections."a<b" must have a name of 1 to 128 '
                "printable ASCII characters that open no HTML tag."
            ),
        ),
    ],
)
def test_a_fault_in_the_file_is_told_in_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    assert refusal(tmp_path, text) == sentence


LARGE = "[answers]\nmax_bytes = 6_000_000\n"
TOO_LARGE = (
    "answers.max_bytes = 6000000 is too much for server.backlog_bytes = 1048576: two answers at "
    "once would cut off whoever is in the room; write server.backlog_bytes = 12524288 or more, or "
    "answers.max_bytes = 262144 or less."
)


def test_answers_that_would_cut_off_their_room_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, LARGE) == f"chatd.toml: {TOO_LARGE}"
    variable = "CHATD_ANSWERS__MAX_BYTES"
    told = env_refusal(tmp_path, **{variable: "6000000"})
    assert told == f"environment variable {variable}: {TOO_LARGE}"
    told = flag_refusal(tmp_path, answers__max_bytes=6_000_000, server__backlog_bytes=1_048_576)
    assert told == f"the command line: {TOO_LARGE}"
    assert from_text(tmp_path, f"{LARGE}[server]\nbacklog_bytes = 12_524_288")
    assert from_text(tmp_path, f"{LARGE}enabled = false")


def test_keys_that_do_not_go_together_are_named_with_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "chatd.toml").write_text(LARGE)
    with pytest.raises(ConfigError) as caught:
        load(None, {"CHATD_SERVER__BACKLOG_BYTES": "524289"}, {}, tmp_path, [Path("chatd.toml")])
    assert str(caught.value) == (
        f"{tmp_path}/chatd.toml, line 2 and environment variable CHATD_SERVER__BACKLOG_BYTES: "
        "answers.max_bytes = 6000000 is too much for server.backlog_bytes = 524289: two answers at "
        "once would cut off whoever is in the room; write server.backlog_bytes = 12524288 or more."
    )


def test_a_backlog_that_is_too_small_for_the_answers_is_refused(tmp_path: Path) -> None:
    told = env_refusal(tmp_path, CHATD_SERVER__BACKLOG_BYTES="1048575")
    assert told.startswith("environment variable CHATD_SERVER__BACKLOG_BYTES: answers.max_bytes = ")
    assert told.endswith("backlog_bytes = 1048576 or more, or answers.max_bytes = 262143 or less.")


def test_the_environment_is_read_by_the_type_of_the_key(tmp_path: Path) -> None:
    env = {
        "CHATD_SERVER__PORT": "0",
        "CHATD_SERVER__PING_INTERVAL_S": "0.5",
        "CHATD_SERVER__ORIGINS": "https://A.example, http://localhost:3000",
        "CHATD_SERVER__TRUSTED_PROXIES": '["10.0.0.0/8", "::1", "unix:"]',
        "CHATD_SERVER__HOST": "unix:/run/chatd.sock",
        "CHATD_SERVER__SOCKET_MODE": "666",
        "CHATD_SERVER__PROXY_PROTOCOL": "on",
        "CHATD_AUTH__QUERY_TOKEN": "False",
        "CHATD_AUTH__AUDIENCE": "8765",
        "CHATD_LIMITS__SOCKETS_PER_USER": "1e400",
        "CHATD_LIMITS__USER_MESSAGES_PER_MINUTE": "0.5",
        "CHATD_SERVER_PORT": "tcp://10.0.0.1:80",
        "OTHER__THING": "x",
    }
    config = load(None, env, {}, tmp_path, places=()).config
    assert config.server.port == 0
    assert config.server.ping_interval_s == 0.5
    assert config.server.origins == ("https://a.example", "http://localhost:3000")
    assert config.server.trusted_proxies == ("10.0.0.0/8", "::1/128", "unix:")
    assert config.server.host == "unix:/run/chatd.sock"
    assert config.server.socket_mode == "0666"
    assert config.server.proxy_protocol is True
    assert config.auth.query_token is False
    assert config.auth.audience == "8765"
    assert config.limits.sockets_per_user == 10**15
    assert config.limits.user_messages_per_minute == 0.5


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        (
            "CHATD_SERVER__PROT", "1",
            ("environment variable CHATD_SERVER__PROT is not a setting; "
            "did you mean CHATD_SERVER__PORT?"),
        ),
        (
            "CHATD_server__port", "1",
            ("environment variable CHATD_server__port is not a setting; "
            "did you mean CHATD_SERVER__PORT?"),
        ),
        (
            "CHATD_SERVER__PORT", "abc",
            ("environment variable CHATD_SERVER__PORT: server.port must be a whole number "
            'from 0 to 65535, not the text "abc".'),
        ),
        (
            "CHATD_SERVER__PORT", "",
            ("environment variable CHATD_SERVER__PORT: server.port must be a whole number "
            "from 0 to 65535, not an empty text."),
        ),
        (
            "CHATD_SERVER__PORT", "1\nx = 2",
            ("environment variable CHATD_SERVER__PORT: server.port must be a whole number "
            'from 0 to 65535, not the text "1\\nx = 2".'),
        ),
        (
            "CHATD_AUTH__QUERY_TOKEN", "maybe",
            ("environment variable CHATD_AUTH__QUERY_TOKEN: auth.query_token must be "
            'true or false, not the text "maybe".'),
        ),
        (
            "CHATD_DIRECTORY__CONNECTIONS__DEMO", "x",
            ("environment variable CHATD_DIRECTORY__CONNECTIONS__DEMO: directory.connections "
            "cannot be set in the environment, write it in chatd.toml."),
        ),
    ],
)  # fmt: skip
def test_a_fault_in_the_environment_names_the_variable(
    tmp_path: Path, variable: str, text: str, sentence: str
) -> None:
    assert env_refusal(tmp_path, **{variable: text}) == sentence


def test_a_fault_in_a_flag_names_the_command_line(tmp_path: Path) -> None:
    assert flag_refusal(tmp_path, server__port="1") == (
        'the command line: server.port must be a whole number from 0 to 65535, not the text "1".'
    )
    assert flag_refusal(tmp_path, server__prt=1) == (
        "the command line: server.prt is not a key; did you mean server.port?"
    )
    assert flag_refusal(tmp_path, sever__port=1) == (
        "the command line: sever.port is not a key; did you mean server.port?"
    )


def test_a_refused_secret_is_not_in_the_error(tmp_path: Path) -> None:
    sentence = env_refusal(tmp_path, CHATD_AUTH__JWT_SECRET=SECRET + "\n")
    assert sentence == (
        "environment variable CHATD_AUTH__JWT_SECRET: auth.jwt_secret must be a text without "
        "control characters or line breaks, not that text."
    )
    assert refusal(tmp_path, "[auth]\njwt_secret = 31415926") == (
        "chatd.toml: auth.jwt_secret must be a text without control characters or line breaks, "
        "not a number."
    )
    assert SECRET not in refusal(tmp_path, f"[auth]\njwt_secret = ['{SECRET}']")


def test_a_secret_is_not_in_the_repr(tmp_path: Path) -> None:
    loaded = load(None, {"CHATD_AUTH__JWT_SECRET": SECRET}, {}, tmp_path, places=())
    assert loaded.config.auth.jwt_secret == SECRET
    assert SECRET not in repr(loaded)


def test_rooms_of_the_file_have_titles_and_users(tmp_path: Path) -> None:
    rooms = from_text(
        tmp_path,
        "[directory]\nsource = 'file'\n"
        "[directory.connections.demo]\ntitle = 'Demo'\nusers = ['*']\n"
        "[directory.connections.'prod db']\nusers = ['ann']\n",
    ).config.directory.connections
    assert rooms == {
        "demo": FileConnection("Demo", ("*",)),
        "prod db": FileConnection(None, ("ann",)),
    }


@pytest.mark.parametrize("limit", [1, 0.25, 10**15])
def test_a_limit_is_kept_as_written(tmp_path: Path, limit: float) -> None:
    limits = from_text(tmp_path, f"[limits]\nhandshakes_per_second = {limit}\n").config.limits
    assert limits.handshakes_per_second == limit


@pytest.mark.parametrize("limit", ["inf", "1e300", "0x" + "f" * 500])
def test_a_limit_beyond_all_reach_is_held_where_arithmetic_is_exact(
    tmp_path: Path, limit: str
) -> None:
    limits = from_text(tmp_path, f"[limits]\nhandshakes_per_second = {limit}\n").config.limits
    assert limits.handshakes_per_second == 10**15


@pytest.mark.parametrize(
    "place", ["", "/run/chatd/internal.sock", "127.0.0.1:0", "[::1]:9100", "localhost:65535"]
)
def test_the_internal_listener_is_at_a_path_or_a_port(tmp_path: Path, place: str) -> None:
    assert from_text(tmp_path, f"[server]\ninternal = '{place}'").config.server.internal == place


@pytest.mark.parametrize(
    "text",
    [
        "internal = '127.0.0.1:8765'",
        "internal = 'localhost:8765'",
        "internal = '0.0.0.0:8765'",
        "host = '::'\ninternal = '[::1]:8765'",
        "host = 'LOCALHOST'\ninternal = 'localhost:8765'",
    ],
)
def test_the_internal_listener_is_not_the_public_port(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, f"[server]\n{text}\n") == (
        "chatd.toml: server.internal must be another place than the public port 8765; "
        "choose another port, or leave it out for a socket."
    )


@pytest.mark.parametrize(
    "text",
    [
        "internal = '127.0.0.2:8765'",
        "internal = '127.0.0.1:8766'",
        "port = 0\ninternal = '127.0.0.1:0'",
        "internal = '/run/a:8765'",
    ],
)
def test_the_internal_listener_may_be_beside_the_public_port(tmp_path: Path, text: str) -> None:
    from_text(tmp_path, f"[server]\n{text}\n")


def test_what_does_not_go_together_is_told_with_its_origin(tmp_path: Path) -> None:
    env = {"CHATD_SERVER__INTERNAL": "127.0.0.1:9000"}
    with pytest.raises(
        ConfigError, match=r"^environment variable CHATD_SERVER__INTERNAL: server\.internal must"
    ):
        load(None, env, {"server.port": 9000}, tmp_path, places=())


def test_rooms_of_the_file_need_the_file_as_their_source(tmp_path: Path) -> None:
    assert refusal(tmp_path, "[directory.connections.demo]\nusers = ['*']\n") == (
        'chatd.toml: directory.connections is used with directory.source = "file" only; '
        "say so, or leave it out."
    )


def test_an_object_with_an_unfit_value_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="must be a whole number from 0 to 65535, not -1"):
        ServerConfig(port=-1)


@contextmanager
def config_errors_only() -> Iterator[None]:
    problem = ""
    try:
        yield
    except ConfigError as error:
        problem = str(error)
    assert all(sentence.isprintable() for sentence in problem.split("\n"))


NAMES = st.sampled_from(["server", "port", "auth", "jwt_secret", "limits", "directory",
                         "connections", "origins", "log", "level", "databases", "x"])  # fmt: skip
TOML = st.text(alphabet="[]{}=.,'\"\\\n# 0123456789aeinfx_-\0é") | st.builds(
    "[{}]\n{} = {}\n".format, NAMES, NAMES, st.text()
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TOML, binary=st.binary(max_size=30), raw=st.booleans())
def test_garbage_in_the_file_ends_in_a_config_error_and_nothing_else(
    tmp_path: Path, text: str, binary: bytes, raw: bool
) -> None:
    (tmp_path / "chatd.toml").write_bytes(binary if raw else text.encode())
    with config_errors_only():
        load(None, {}, {}, tmp_path)


VARIABLES = st.sampled_from(variables())
ANYTHING = st.text(alphabet=st.characters()) | st.from_regex(r"\[?[0-9_.+eExinf-]{1,20}\]?")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(env=st.dictionaries(VARIABLES | ANYTHING.map("CHATD_{}".format), ANYTHING))
def test_garbage_in_the_environment_ends_in_a_config_error_and_nothing_else(
    tmp_path: Path, env: dict[str, str]
) -> None:
    with config_errors_only():
        load(None, env, {}, tmp_path, places=())


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(SCALARS, inner), max_leaves=5
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    overrides=st.dictionaries(
        VARIABLES.map(lambda name: name[6:].lower().replace("__", ".")) | st.text(), VALUES
    )
)
def test_garbage_in_the_flags_ends_in_a_config_error_and_nothing_else(
    tmp_path: Path, overrides: dict[str, Any]
) -> None:
    with config_errors_only():
        load(None, {}, overrides, tmp_path, places=())


@pytest.mark.parametrize(
    "link",
    [
        "",
        "/login",
        "/",
        "/a?b=c#d",
        "https://example.com",
        "https://example.com/in?to=%20",
        "http://[::1]:8080/",
    ],
)
def test_the_page_sends_people_to_a_url_or_a_path_to_sign_in(tmp_path: Path, link: str) -> None:
    assert from_text(tmp_path, f"[web]\nlogin_url = '{link}'").config.web.login_url == link


@pytest.mark.parametrize(
    "link",
    [
        "login",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "ftp://a/",
        "https://",
        "https:///a",
        "https://user@evil.example/",
        "https://a b/",
        "https://a/ b",
        "/\u00e4",
        "HTTPS://A/",
    ],
)
def test_nothing_else_is_a_place_to_sign_in(tmp_path: Path, link: str) -> None:
    told = refusal(tmp_path, f"[web]\nlogin_url = '{link}'\n")
    assert 'web.login_url must be a URL as "https://example.com/login", or a path' in told


def test_the_page_has_a_title(tmp_path: Path) -> None:
    assert from_text(tmp_path, "[web]\ntitle = 'Sälés'").config.web.title == "Sälés"
    assert "web.title must be a text of at least" in refusal(tmp_path, "[web]\ntitle = ''")
