"""Tokens of the configuration: who shows one, and which rooms it gives."""

import pytest

from chatd.auth import Bot, Bots, TokenRefused, bot_digest, make_bot_token
from chatd.wire.codes import Code

TOKEN = make_bot_token()
BOT = Bot(bot_digest(TOKEN), ("sales", "stock"), "Alerts", False, True, 60, 600)
BOTS = Bots({"alerts": BOT})


def test_a_token_names_its_bot_and_gives_the_rooms_of_its_table() -> None:
    identity = BOTS.identify(TOKEN)
    assert (identity.user_id, identity.name) == ("bot:alerts", "Alerts")
    assert list(BOTS.grants(identity)) == ["sales", "stock"]


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {make_bot_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(token.startswith("chatd_") and len(token) == 49 for token in tokens)


@pytest.mark.parametrize(
    "token",
    [TOKEN[:-1], TOKEN + "A", TOKEN.upper(), "chatd_\ud800", BOT.sha256, "chatd_" + "x" * 10**6],
    ids=range(6),
)
def test_any_other_token_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        BOTS.identify(token)
    assert refused.value.code is Code.TOKEN_INVALID
    assert token not in str(refused.value) + refused.value.reason
