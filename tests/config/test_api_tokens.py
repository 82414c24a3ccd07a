"""The tokens of bots in the configuration: `[api.tokens.<name>]`."""

from pathlib import Path

import pytest

from chatd.auth import Bot, bot_digest
from chatd.config import ConfigError, explain, load, sample
from tests.rows import rows

DIGEST = bot_digest("chatd_a token of a test")


def loaded(tmp_path: Path, written: str) -> object:
    (tmp_path / "chatd.toml").write_text(written)
    return load(None, {}, {}, tmp_path).config.api.tokens


def refused(tmp_path: Path, written: str) -> str:
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, written)
    return str(error.value)


def test_a_token_reads_its_rooms_unless_it_says_more(tmp_path: Path) -> None:
    written = f'[api.tokens.alerts]\nsha256 = "{DIGEST}"\nrooms = ["demo", "a b"]\n'
    assert loaded(tmp_path, written) == {
        "alerts": Bot(DIGEST, ("demo", "a b"), None, True, False, 60.0, 600.0)
    }


def test_a_token_has_a_name_rights_and_rates_of_its_own(tmp_path: Path) -> None:
    written = (
        f'[api.tokens."ci-1.x"]\nsha256 = "{DIGEST}"\nrooms = ["demo"]\nname = "CI"\n'
        'rights = ["write"]\nmessages_per_minute = 5\nrequests_per_minute = 7.5\n'
    )
    assert loaded(tmp_path, written) == {
        "ci-1.x": Bot(DIGEST, ("demo",), "CI", False, True, 5, 7.5)
    }


@rows(
    ("fields", "problem"),
    [
        ('rooms = ["demo"]', "api.tokens.a.sha256 is missing; write what `chatd api token`"),
        (f'sha256 = "{DIGEST}"', "api.tokens.a.rooms is missing"),
        (f'sha256 = "{DIGEST.upper()}"\nrooms = []', "api.tokens.a.sha256 must be a SHA"),
        (f'sha256 = "{DIGEST}"\nrooms = []\nrights = ["admin"]', "rights[0] must be a list"),
        (f'sha256 = "{DIGEST}"\nrooms = []\nrights = []', "rights must have one of read"),
        (f'sha256 = "{DIGEST}"\nrooms = ["<b>"]', "rooms[0] must be a list"),
        (f'sha256 = "{DIGEST}"\nrooms = []\nmessages_per_minute = 0', "messages_per_minute"),
        (f'sha256 = "{DIGEST}"\nrooms = []\nright = ["read"]', "did you mean rights?"),
    ],
)
def test_what_a_token_cannot_be(fields: str, problem: str, tmp_path: Path) -> None:
    assert problem in refused(tmp_path, f"[api.tokens.a]\n{fields}\n")


@pytest.mark.parametrize("name", ["", "a b", "-a", "é", "a:b", "x" * 65])
def test_a_name_is_short_and_plain(name: str, tmp_path: Path) -> None:
    written = f'[api.tokens."{name}"]\nsha256 = "{DIGEST}"\nrooms = []\n'
    assert "must have a name of 1 to 64 letters" in refused(tmp_path, written)


def test_a_token_that_stands_where_its_digest_belongs_is_not_shown(tmp_path: Path) -> None:
    secret = "chatd_this-must-not-be-seen"
    said = refused(tmp_path, f'[api.tokens.a]\nsha256 = "{secret}"\nrooms = []\n')
    assert "sha256 must be a SHA-256" in said
    assert secret not in said


def test_two_tokens_do_not_share_a_secret(tmp_path: Path) -> None:
    written = "".join(f'[api.tokens.{n}]\nsha256 = "{DIGEST}"\nrooms = []\n' for n in "ab")
    assert "api.tokens.b must differ from that of api.tokens.a" in refused(tmp_path, written)


def test_what_is_in_force_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "chatd.toml").write_text(
        f'[api.tokens.a]\nsha256 = "{DIGEST}"\nrooms = ["demo"]\nname = "A"\n'
        'rights = ["write", "read"]\n'
    )
    first = load(None, {}, {}, tmp_path)
    (tmp_path / "again.toml").write_text(explain(first))
    assert load(Path("again.toml"), {}, {}, tmp_path).config.api == first.config.api


def test_the_token_of_the_sample_is_valid_once_it_is_uncommented(tmp_path: Path) -> None:
    lines = sample().split("# [api.tokens.alerts]\n")[1].split("\n\n")[0].splitlines()
    written = "\n".join(["[api.tokens.alerts]", *(line.removeprefix("# ") for line in lines)])
    tokens = loaded(tmp_path, written)
    assert tokens["alerts"].rooms == ("demo",)  # type: ignore[index]
