"""A server of a built page alone, which may be exchanged for another build, or go away."""

import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from chatd.net.addresses import LOCAL
from chatd.net.http.app import NOT_FOUND, Request, Response
from chatd.net.http.page import read_page
from chatd.net.http.static import StaticFiles

DIST: Final = Path(__file__).parents[3] / "chatd" / "web" / "dist"


class FileServer(ThreadingHTTPServer):
    """Serves the page of a directory like `chatd/web`, with the headers of the daemon."""

    daemon_threads = True

    def __init__(self, web: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files = StaticFiles()
        self.is_away = False
        self.asked: list[str] = []
        self.serve(web)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def serve(self, web: Path) -> None:
        """Serve this build from now on."""
        self.files = read_page(web).files

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answer(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        if self.server.is_away:
            self.close_connection = True
            self.connection.close()
            return
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        headers = tuple(
            (name.lower().encode(), value.encode()) for name, value in self.headers.items()
        )
        request = Request("GET", path, b"", headers, LOCAL)
        file = self.server.files.by_path.get(path)
        self._send(NOT_FOUND if file is None else file.answer(request))

    def _send(self, answer: Response) -> None:
        assert isinstance(answer.body, bytes)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name.decode(), value.decode())
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        pass


def first_build(place: Path) -> Path:
    """The page of this tree, apart from it."""
    shutil.copytree(DIST, place / "dist", ignore=shutil.ignore_patterns("*.br", "*.gz"))
    return place


def next_build(before: Path, place: Path, mark: str) -> Path:
    """Another build: its scripts have other names, and its worker is another one."""
    shutil.copytree(before, place)
    dist = place / "dist"
    # All of them: a script whose content is another one has another name, in each build.
    scripts = {
        # A hash has eight characters, and may hold a hyphen.
        file.name: re.sub(r"-[\w-]{8}\.js$", f"-{mark}.js", file.name)
        for file in dist.glob("assets/*.js")
    }
    assert len(set(scripts.values())) == len(scripts)
    for old, new in scripts.items():
        (dist / "assets" / old).rename(dist / "assets" / new)
    # The document and the worker name the script, and so do the parts that are read later.
    for file in (dist / "index.html", dist / "sw.js", *dist.glob("assets/*.js")):
        text = file.read_text()
        for old, new in scripts.items():
            text = text.replace(old, new)
        file.write_text(text)
    worker = dist / "sw.js"
    worker.write_text(re.sub(r'"id":"\w+"', f'"id":"{mark}"', worker.read_text()))
    return place
