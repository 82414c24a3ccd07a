"""Which token of a handshake counts."""

from collections.abc import Mapping
from typing import Any

import pytest

from chatd.auth import KeyRing, TokenRefused, Verifier, pick_token
from tests.rows import rows

QUERY = {"auth": "from query auth", "token": "from query token", "EIO": "4"}


@rows(
    ("auth_payload", "authorization", "query", "allowed", "picked"),
    [
        ({"token": "from auth"}, "Bearer header", QUERY, True, "from auth"),
        ({"token": 7}, "Bearer header", QUERY, True, 7),
        ({"token": False}, None, {}, True, False),
        ({"token": {}}, None, {}, True, {}),
        ({"token": None}, "Bearer header", QUERY, True, "header"),
        ({"token": ""}, "Bearer header", QUERY, True, "header"),
        ({"connectionId": "sales"}, "Bearer header", QUERY, True, "header"),
        (None, "bearer  header ", QUERY, True, "header"),
        (None, "BEARER header", QUERY, True, "header"),
        (None, "Bearer", QUERY, True, "from query auth"),
        (None, "Bearer ", QUERY, True, "from query auth"),
        (None, "Bearerheader", {}, True, None),
        (None, "Basic YTpi", QUERY, True, "from query auth"),
        (None, "", {"auth": "", "token": "from query token"}, True, "from query token"),
        (None, None, {"token": "from query token"}, True, "from query token"),
        (None, None, QUERY, False, None),
        ({}, None, {}, True, None),
        (None, None, {}, True, None),
    ],
)
def test_the_first_place_that_holds_something_wins(
    auth_payload: Mapping[str, Any] | None,
    authorization: str | None,
    query: Mapping[str, str],
    allowed: bool,
    picked: object,
) -> None:
    assert pick_token(auth_payload, authorization, query, allowed) == picked


def test_a_token_of_a_wrong_type_is_refused_as_invalid_not_as_missing() -> None:
    verifier = Verifier(KeyRing.of_secret("x" * 32), "authenticated", "", 30, 8192)
    table: list[object] = [0, False, [], {}, {"token": "x"}]
    for wrong in table:
        with pytest.raises(TokenRefused) as caught:
            verifier.verify(pick_token({"token": wrong}, None, {}, True), 0)
        assert caught.value.code == "token_invalid"
