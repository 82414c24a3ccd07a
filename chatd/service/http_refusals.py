"""What a refusal is over HTTP: its status, its headers, its JSON (docs/http, "Errors")."""

import math
from collections.abc import Mapping
from typing import Final

from chatd.net.http.app import Headers, Response
from chatd.wire.codes import Code, Refusal
from chatd.wire.encoder import encode
from chatd.wire.over_http import HttpRefused

STATUSES: Final[Mapping[Code, int]] = {
    Code.INVALID_PAYLOAD: 400,
    Code.INVALID_MESSAGE_ID: 400,
    Code.INVALID_QUERY: 400,
    Code.CONTENT_EMPTY: 400,
    Code.CONTENT_TOO_LONG: 400,
    Code.UNAUTHORIZED: 401,
    Code.TOKEN_EXPIRED: 401,
    Code.TOKEN_INVALID: 401,
    Code.TOKEN_REVOKED: 401,
    Code.FORBIDDEN: 403,
    Code.FORBIDDEN_ROOM: 403,
    Code.READ_ONLY_ROOM: 403,
    Code.NOT_FOUND: 404,
    Code.UNKNOWN_THREAD: 404,
    Code.EDIT_CONFLICT: 409,
    Code.MESSAGE_ID_CONFLICT: 409,
    Code.TOO_MANY_REACTIONS: 409,
    Code.MESSAGE_DELETED: 410,
    Code.RATE_LIMITED: 429,
}
"""Of any other code: 503 where a retry may help, else 409."""

STATUS_RETRYABLE: Final = 503
STATUS_FINAL: Final = 409
RETRY_AFTER_S: Final = 5
"""Told with a 503 that knows no time of its own: as long as a server takes to come back."""


def status_of(refusal: Refusal) -> int:
    """The status of a refusal."""
    return STATUSES.get(refusal.code, STATUS_RETRYABLE if refusal.retryable else STATUS_FINAL)


def refused(refusal: Refusal) -> Response:
    """The response of a refusal."""
    status = status_of(refusal)
    headers: Headers = ((b"content-type", b"application/json"),)
    if status == 401:
        headers += ((b"www-authenticate", b"Bearer"),)
    wait_s = None if refusal.retry_after_ms is None else math.ceil(refusal.retry_after_ms / 1000)
    if wait_s is None and status == STATUS_RETRYABLE:
        wait_s = RETRY_AFTER_S
    if wait_s is not None:
        headers += ((b"retry-after", b"%d" % wait_s),)
    return Response(status, headers, encode(HttpRefused.of(refusal)))
