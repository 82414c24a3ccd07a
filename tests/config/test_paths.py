"""Where the state goes."""

from pathlib import Path

import pytest

from chatd.config import Config, ConfigError, StateConfig, state_directory

HERE = Path("/some/where")


@pytest.mark.parametrize(
    ("key", "env", "directory"),
    [
        ("/a", {"STATE_DIRECTORY": "/b"}, "/a"),
        ("a", {}, "/some/where/a"),
        ("~/a", {"HOME": "/home/u"}, "/home/u/a"),
        ("~", {"HOME": "/home/u"}, "/home/u"),
        ("", {"STATE_DIRECTORY": "/b:/c", "XDG_STATE_HOME": "/x"}, "/b"),
        ("", {"XDG_STATE_HOME": "/x", "HOME": "/home/u"}, "/x/chatd"),
        ("", {"XDG_STATE_HOME": "x", "HOME": "/home/u"}, "/home/u/.local/state/chatd"),
        ("", {"HOME": "/home/u"}, "/home/u/.local/state/chatd"),
    ],
)
def test_the_first_that_is_set_is_the_state_directory(
    key: str, env: dict[str, str], directory: str
) -> None:
    assert state_directory(Config(state=StateConfig(dir=key)), env, HERE) == Path(directory)


def test_without_a_home_it_says_what_to_set() -> None:
    with pytest.raises(ConfigError) as caught:
        state_directory(Config(), {}, HERE)
    assert str(caught.value) == (
        "no directory for state is known, as HOME is not set; "
        "set state.dir, CHATD_STATE__DIR or STATE_DIRECTORY."
    )
