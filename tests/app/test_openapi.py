"""The OpenAPI document of a live daemon, and the daemon held to it by schemathesis."""

import json
import sys
from pathlib import Path
from typing import Any

import trio

from chatd.app.settings import api_document
from chatd.config import Config
from tests.app.daemon import NO_LIMITS, House

SCHEMATHESIS = Path(sys.executable).parent / "st"
EXAMPLES = "5"
"""Cases of each request beyond those at its bounds: some hundreds in all, in some 10 s."""
LIMIT_S = 240.0
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
"""All that judge one response, but that what a schema allows is always accepted: no schema says
that a text shows something, or that two parameters do not go together."""

# Messages go to a room of the user. A stream that is let in has no end: one is asked for elsewhere.
SETTINGS = """
[parameters]
"path.connectionId" = "demo"

[[operations]]
include-operation-id = "listen"
parameters = { "path.connectionId" = "elsewhere" }
"""


async def fetched(port: int) -> Any:
    """The document, as the daemon serves it to anybody."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"GET /api/openapi.json HTTP/1.0\r\nHost: localhost\r\n\r\n")
        received = b"".join([piece async for piece in stream])
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return json.loads(body)


async def test_the_daemon_does_what_its_document_says(house: House, tmp_path: Path) -> None:
    printed = await house.run("docs", "openapi")
    assert json.loads(printed.out) == json.loads(json.dumps(api_document(Config())))
    quiet = {**NO_LIMITS, "CHATD_ANSWERS__ENABLED": "false", "CHATD_LOG__FORMAT": "json"}
    daemon = await house.start(env=quiet)
    assert await fetched(daemon.port) == json.loads(printed.out)
    minted = await house.run("token", "mint", "--user", "ada", "--room", "demo")
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS)
    judged = await house.run(
        *("--config-file", str(settings)),
        *("run", f"http://127.0.0.1:{daemon.port}/api/openapi.json"),
        *("--header", f"Authorization: Bearer {minted.out.strip()}"),
        *("--checks", ",".join(CHECKS)),
        *("--phases", "coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", "1"),
        *("--request-timeout", "30", "--no-shrink", "--continue-on-failure", "--no-color"),
        program=[str(SCHEMATHESIS)],
        within_s=LIMIT_S,
    )
    assert judged.code == 0, judged.out
    assert "4 selected / 4 total" in judged.out
    assert not daemon.events("internal.error")
    await daemon.stop()
