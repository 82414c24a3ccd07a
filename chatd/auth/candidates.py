"""Where a token may stand in a handshake, and which one counts."""

from collections.abc import Mapping
from typing import Final

_QUERY_PARAMETERS: Final = ("auth", "token")


def pick_token(
    auth_payload: Mapping[str, object] | None,
    authorization: str | None,
    query: Mapping[str, str],
    query_allowed: bool,
) -> object | None:
    """The token to verify, or None if there is none.

    `auth_payload` is what the client sent with CONNECT, `authorization` the value of that header,
    `query` the decoded parameters of the handshake's URL, which count only if `query_allowed`
    (they end up in the logs of proxies).

    The first place that holds something wins, and only its token is verified: a good one further on
    does not make up for a bad one. null and "" are nothing. `auth.token` of a wrong type is
    returned as it is, for `Verifier.verify` to refuse.
    """
    if auth_payload is not None:
        token = auth_payload.get("token")
        if token is not None and token != "":
            return token
    if authorization is not None:
        scheme, _, credentials = authorization.strip(" \t").partition(" ")
        credentials = credentials.strip(" \t")
        if scheme.lower() == "bearer" and credentials:  # RFC 9110, 11.1: in any case
            return credentials
    if query_allowed:
        for parameter in _QUERY_PARAMETERS:
            if query.get(parameter):
                return query[parameter]
    return None
