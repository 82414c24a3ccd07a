"""The stock browser bundle of socket.io-client in Chromium, driven through pipes.

`python browser.py HOST [PORT]`: a page of the origin `http://HOST:PORT`, or of some port, is served
from this process, and Chromium, which takes HOST for this machine, opens it. A line of standard
input is a command, a line of standard output an event, both JSON; they are described in drivers.py.
Chromium gets the commands as an event stream of the page's own origin, and posts the events there.
"""

import contextlib
import json
import queue
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
BUNDLE: Final = HERE / "node_modules" / "socket.io-client-4.8" / "dist" / "socket.io.min.js"
FILES: Final = {
    "/page.html": (HERE / "page.html", "text/html"),
    "/driven.mjs": (HERE / "driven.mjs", "text/javascript"),
    "/socket.io.min.js": (BUNDLE, "text/javascript"),
}
END_LIMIT_S: Final = 15.0

FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class PageServer(ThreadingHTTPServer):
    """Serves the page; hands it commands, and hands on what it tells."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), PageRequest)
        self.commands: queue.SimpleQueue[str] = queue.SimpleQueue()


class PageRequest(BaseHTTPRequestHandler):
    """One request of the page."""

    protocol_version = "HTTP/1.1"
    server: PageServer

    def do_GET(self) -> None:
        if self.path == "/commands":
            self._stream_commands()
        elif self.path in FILES:
            path, kind = FILES[self.path]
            self._answer(200, path.read_bytes(), kind)
        else:
            self._answer(404, b"", "text/plain")

    def do_POST(self) -> None:
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sys.stdout.write("".join(json.dumps(event) + "\n" for event in events))
        sys.stdout.flush()
        self._answer(200, b"", "text/plain")

    def _stream_commands(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(OSError):  # the browser has ended
            while True:
                self.wfile.write(f"data: {self.server.commands.get()}\n\n".encode())

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def run(host: str, port: int) -> None:
    """Serve the page to a Chromium of its own until standard input ends."""
    server = PageServer(port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="chatd-chromium-", ignore_cleanup_errors=True) as home:
        chromium = subprocess.Popen(
            [
                *("chromium", *FLAGS, f"--user-data-dir={home}"),
                f"--host-resolver-rules=MAP {host} 127.0.0.1",
                f"http://{host}:{server.server_address[1]}/page.html",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            for line in sys.stdin:
                server.commands.put(line.strip())
        finally:
            chromium.terminate()
            try:
                chromium.wait(END_LIMIT_S)
            except subprocess.TimeoutExpired:
                chromium.kill()
                chromium.wait(END_LIMIT_S)


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
