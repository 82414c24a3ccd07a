"""What a refusal is over HTTP: its headers and its JSON (docs/http, "Errors"). Its status is a
property of its code (`wire.codes`)."""

import math
from typing import Final

from chatd.net.http.app import Headers, Response
from chatd.wire.codes import Refusal
from chatd.wire.encoder import encode
from chatd.wire.over_http import HttpRefused

RETRY_AFTER_S: Final = 5
"""Told with a 503 that knows no time of its own: as long as a server takes to come back."""


def refused(refusal: Refusal) -> Response:
    """The response of a refusal."""
    status = refusal.http_status
    headers: Headers = ((b"content-type", b"application/json"),)
    if status == 401:
        headers += ((b"www-authenticate", b"Bearer"),)
    wait_s = None if refusal.retry_after_ms is None else math.ceil(refusal.retry_after_ms / 1000)
    if wait_s is None and status == 503:
        wait_s = RETRY_AFTER_S
    if wait_s is not None:
        headers += ((b"retry-after", b"%d" % wait_s),)
    return Response(status, headers, encode(HttpRefused.of(refusal)))
