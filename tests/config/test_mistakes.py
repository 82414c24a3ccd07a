"""All that is wrong with a configuration is told at once, in the order in which it is written."""

from pathlib import Path

import pytest

from chatd.config import ConfigError, load
from chatd.config.lines import line_numbers

MANY = """\
# a comment
[server]
port = "8765"
origins = [
    "https://a.example/x",
    "https://b.example",
    "c",
]
internal = "here"

[sever]
host = "x"

[databases.shop]
sqlit = "/srv/shop.db"
connections = 0
environment = { CHATD_X = "1", B = 2 }

[databases."my shop"]
command = ["x", "a\\u0000"]
dialct = "postgres"

[databases.stock]
dialect = "oracle"

[directory]
source = "file"
[directory.connections.demo]
title = ""
users = ["db:x", "ann", ""]
[directory.connections.sales]
titel = "Sales"

[limits]
user_messages_per_minute = -1
"""


def mistakes(tmp_path: Path, text: str, **env: str) -> list[str]:
    (tmp_path / "chatd.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(None, env, {"server.port": -1}, tmp_path, [Path("chatd.toml")])
    assert str(caught.value).split("\n") == list(caught.value.sentences)
    return [
        sentence.replace(f"{tmp_path}/chatd.toml, line ", "") for sentence in caught.value.sentences
    ]


def test_every_mistake_of_every_layer_is_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path, MANY, CHATD_LOG__LEVEL="loud", CHATD_LOG__LEVL="x", CHATD_SERVER__PORT="1"
    )
    beginnings = [
        "3: server.port must be a whole number",
        "4: server.origins[0] must be an origin",
        "4: server.origins[2] must be an origin",
        "9: server.internal must be the absolute path",
        "11: [sever] is not a section; did you mean server?",
        "15: databases.shop.sqlit is not a key; did you mean sqlite?",
        "16: databases.shop.connections must be a whole number from 1 to 64, not 0.",
        "17: databases.shop.environment must be a table of variables",
        "17: databases.shop.environment.B must be a text",
        "17: databases.shop.environment is not used with sqlite; leave it out.",
        '19: databases."my shop".mapping is missing; write one of',
        '19: databases."my shop".credentials must be "read-only"',
        '20: databases."my shop".command[1] must be a list of a program',
        '21: databases."my shop".dialct is not a key; did you mean dialect?',
        "23: databases.stock must have one of command, url, sqlite, postgres, sample; it has none.",
        '24: databases.stock.dialect must be one of "sqlite", "postgres", "mysql"',
        "29: directory.connections.demo.title must be a text",
        "30: directory.connections.demo.users[0] must be a user id",
        "30: directory.connections.demo.users[2] must be a user id",
        "31: directory.connections.sales.users is missing",
        "32: directory.connections.sales.titel is not a key; did you mean title?",
        "35: limits.user_messages_per_minute must be a number above 0, not -1.",
        "environment variable CHATD_LOG__LEVEL: log.level must be one of",
        "environment variable CHATD_LOG__LEVL is not a setting; did you mean CHATD_LOG__LEVEL?",
        "the command line: server.port must be a whole number",
    ]
    assert len(found) == len(beginnings), "\n".join(found)
    for sentence, beginning in zip(found, beginnings, strict=True):
        assert sentence.startswith(beginning)


def test_what_does_not_go_together_is_told_beside_the_rest(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        "[server]\n\nbacklog_bytes = 600_000\n"
        "[messages]\nkeep_days = -1\n[answers]\nmax_bytes = 6_000_000\n",
    )
    assert len(found) == 3
    assert found[0].startswith("3 and 7: answers.max_bytes = 6000000 is too much for")
    assert found[1].startswith("5: messages.keep_days must be")


def test_a_rule_about_a_key_that_is_wrong_itself_is_not_asked(tmp_path: Path) -> None:
    text = "[server]\nport = 'x'\ninternal = '127.0.0.1:8765'\n[answers]\nmax_bytes = 'x'\n"
    found = mistakes(tmp_path, text, CHATD_SERVER__BACKLOG_BYTES="1")
    assert len(found) == 3
    assert found[2].startswith("the command line")


def test_a_file_that_is_not_toml_hides_no_mistake_of_the_environment(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "[server\n", CHATD_LOG__LEVEL="loud")
    assert "not valid TOML, correct it here: " in found[0]
    assert found[1].startswith("environment variable CHATD_LOG__LEVEL: ")


def test_lines_are_those_of_the_first_line_of_a_statement() -> None:
    text = """
a = 1
"b c".d = [
  # not a key = 1
  "]", { e = 2 },
]
f = '''
[g]
h = 1
'''
[i.j]  # [k]
l = { m = { n = 1 } }

 [[o]]
p = 1
[[o]]
p = 2
[o.q]
r.s = 1
"""
    assert line_numbers(text) == {
        ("a",): 2,
        ("b c",): 3,
        ("b c", "d"): 3,
        ("f",): 7,
        ("i",): 11,
        ("i", "j"): 11,
        ("i", "j", "l"): 12,
        ("i", "j", "l", "m"): 12,
        ("i", "j", "l", "m", "n"): 12,
        ("o",): 14,
        ("o", "p"): 15,
        ("o", "q"): 18,
        ("o", "q", "r"): 19,
        ("o", "q", "r", "s"): 19,
    }


def test_a_file_that_was_saved_on_windows_is_the_same_file(tmp_path: Path) -> None:
    expected = mistakes(tmp_path, MANY)
    (tmp_path / "chatd.toml").unlink()
    saved = b"\xef\xbb\xbf" + MANY.replace("\n", "\r\n").encode()
    (tmp_path / "windows.toml").write_bytes(saved)
    with pytest.raises(ConfigError) as caught:
        load(Path("windows.toml"), {}, {"server.port": -1}, tmp_path)
    place = f"{tmp_path}/windows.toml, line "
    assert [sentence.replace(place, "") for sentence in caught.value.sentences] == expected


def test_a_file_of_utf_16_is_told_to_be_no_utf_8(tmp_path: Path) -> None:
    (tmp_path / "chatd.toml").write_text(MANY, encoding="utf-16")
    with pytest.raises(ConfigError, match=r"chatd\.toml is not UTF-8; save it as UTF-8 text\."):
        load(None, {}, {}, tmp_path)


@pytest.mark.parametrize("text", ["", "\n", "a = 1\r\nb = 2\r\n", "x = '''" + "\n" * 500 + "'''\n"])
def test_any_file_has_lines(text: str) -> None:
    assert all(line > 0 for line in line_numbers(text).values())
