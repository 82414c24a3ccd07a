"""`explain`, `sample`, and the chatd.toml that is shipped."""

import tomllib
from pathlib import Path

from chatd.config import Config, explain, load, sample

SHIPPED = Path(__file__).parents[2] / "chatd.toml"
SECRET = "s" * 64


def test_the_shipped_file_is_the_sample() -> None:
    assert SHIPPED.read_text() == sample()


def test_the_shipped_file_says_the_defaults(tmp_path: Path) -> None:
    assert load(SHIPPED, {}, {}, tmp_path).config == Config()


def test_the_sample_room_is_valid_once_it_is_uncommented(tmp_path: Path) -> None:
    lines = sample().split("# [directory.connections.demo]")
    room = "[directory.connections.demo]" + lines[1].replace("# title", "title").replace(
        "# users", "users"
    )
    before = lines[0].replace('source = "claim"', 'source = "file"')
    (tmp_path / "chatd.toml").write_text(before + room)
    connections = load(None, {}, {}, tmp_path).config.directory.connections
    assert connections["demo"].users == ("*",)


def test_every_key_of_the_sample_has_a_line_of_documentation() -> None:
    before = ""
    for line in sample().splitlines():
        if " = " in line and not line.startswith("#"):
            assert before.startswith("#"), line
        before = line


def test_explain_is_toml_with_the_origin_of_each_value(tmp_path: Path) -> None:
    (tmp_path / "chatd.toml").write_text(
        "[server]\nhost = 'h\\\"é'\n[directory]\nsource='file'\n"
        "[directory.connections.'a \"b']\ntitle='T'\nusers=['u']\n"
    )
    env = {"CHATD_SERVER__PORT": "9000", "CHATD_SERVER__ORIGINS": "https://a.example"}
    loaded = load(None, env, {"log.level": "debug"}, tmp_path)
    text = explain(loaded)
    file = tmp_path / "chatd.toml"
    assert text.startswith(f"# read from {file}\n")
    assert f"  # {file}\n" in text
    assert "port = 9000  # $CHATD_SERVER__PORT\n" in text
    assert 'level = "debug"  # the command line\n' in text
    assert "query_token = true  # default\n" in text
    (tmp_path / "again.toml").write_text(text)
    assert load(Path("again.toml"), {}, {}, tmp_path).config == loaded.config


def test_explain_tells_what_a_key_comes_to(tmp_path: Path) -> None:
    loaded = load(None, {}, {"state.dir": "here"}, tmp_path, ())
    text = explain(loaded, {"state.dir": "/a/here", "server.internal": "/a/here/internal.sock"})
    assert 'dir = "here"  # the command line: /a/here\n' in text
    assert 'internal = ""  # default: /a/here/internal.sock\n' in text
    assert 'dir = "here"  # the command line\n' in explain(loaded, {"state.dir": "here"})


def test_explain_without_a_file_says_so(tmp_path: Path) -> None:
    assert explain(load(None, {}, {}, tmp_path, ())).startswith("# no file was read\n")


def test_explain_never_shows_a_secret(tmp_path: Path) -> None:
    text = explain(load(None, {"CHATD_AUTH__JWT_SECRET": SECRET}, {}, tmp_path, ()))
    assert SECRET not in text
    assert 'jwt_secret = "(set, 64 characters)"  # $CHATD_AUTH__JWT_SECRET\n' in text
    assert tomllib.loads(text)


def test_explain_shows_neither_the_password_of_the_directory_nor_where_it_is(
    tmp_path: Path,
) -> None:
    file = tmp_path / "chatd.toml"
    file.write_text("[directory]\nsource = 'sql'\nurl = 'postgresql://ada:hunter2@db/sales'\n")
    loaded = load(None, {}, {}, tmp_path)
    assert 'url = "(set, 33 characters)"' in explain(loaded)
    assert "hunter2" not in explain(loaded) + repr(loaded)


def test_the_roles_of_a_room_are_shown(tmp_path: Path) -> None:
    room = "users = ['ada']\nowners = ['bob']\nviewers = ['*']\n"
    file = tmp_path / "chatd.toml"
    file.write_text(f"[directory]\nsource = 'file'\n[directory.connections.a]\n{room}")
    text = explain(load(None, {}, {}, tmp_path))
    shown = tomllib.loads(text)["directory"]["connections"]["a"]
    assert shown == {"users": ["ada"], "owners": ["bob"], "viewers": ["*"]}


def test_an_unset_secret_is_shown_as_empty(tmp_path: Path) -> None:
    assert 'jwt_secret = ""  # default\n' in explain(load(None, {}, {}, tmp_path, ()))


def test_a_strange_path_cannot_add_a_line_to_explain(tmp_path: Path) -> None:
    (tmp_path / "a\nport = 1.toml").write_text("[server]\nhost = 'x'\n")
    text = explain(load(Path("a\nport = 1.toml"), {}, {}, tmp_path))
    assert tomllib.loads(text)["server"]["port"] == 8765
