"""Proxies before a server, as people put them there: processes of their own, ended by pid."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from chatd.cli.docs import documents
from tests.peers.servers import LIMIT_S, free_port

CHAPTER: Final = documents()["operations"].partition("\n## Proxy\n")[2].partition("\n## ")[0]
UPSTREAM: Final = "127.0.0.1:8765"
"""Where the documents have the daemon."""


def documented(language: str, text: str = CHAPTER) -> list[str]:
    """The blocks of a document that are written for this program."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)


CONFIGURATION: Final = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    {servers}
}}
"""

PLAIN: Final = """\
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    upstream chatd {
        server 127.0.0.1:8765;
        keepalive 8;
    }
    server {
        listen 80;
        location / {
            proxy_pass http://chatd;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }
    }
"""
"""Connections to the server are kept and shared by all who come, as nginx's manual has it."""

LISTEN: Final = re.compile(r"listen [^;]*?(?P<tls> ssl)?;")


class Proxy:
    """A proxy before `upstream`, which listens on a port of its own."""

    program: str
    scheme = "http"

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._directory = directory

    def _start(self, *arguments: str | Path) -> None:
        program = shutil.which(self.program, path="/usr/sbin:/usr/local/sbin:/usr/bin")
        assert program is not None, f"{self.program} is not installed"
        with (self._directory / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "HOME": str(self._directory)},
            )
        until_s = time.monotonic() + LIMIT_S
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), LIMIT_S).close()
                return
            assert self._process.poll() is None, self.log
            assert time.monotonic() < until_s, self.log
            time.sleep(0.01)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it says."""
        return (self._directory / "output").read_text()

    def stop(self) -> None:
        """SIGTERM."""
        self._process.terminate()
        self._process.wait(LIMIT_S)


class Nginx(Proxy):
    """`servers` are written for `UPSTREAM`; it listens with TLS where they do."""

    program = "nginx"

    def __init__(self, upstream: str, directory: Path, servers: str = PLAIN) -> None:
        super().__init__(directory)
        found = LISTEN.search(servers)
        assert found is not None
        self.scheme = "https" if found["tls"] else "http"
        servers = LISTEN.sub(rf"listen 127.0.0.1:{self.port}\g<tls>;", servers)
        servers = servers.replace(UPSTREAM, upstream.removeprefix("http://"))
        file = directory / "nginx.conf"
        file.write_text(CONFIGURATION.format(directory=directory, servers=servers))
        errors = directory / "error.log"
        self._start("-p", directory, "-c", file, "-e", errors)

    @property
    def log(self) -> str:
        """What it warns of: answers that it could not pass on, above all."""
        return (self._directory / "error.log").read_text()


class Caddy(Proxy):
    """`sites` are written for `UPSTREAM` and chat.example; it listens without TLS."""

    program = "caddy"

    def __init__(self, upstream: str, directory: Path, sites: str) -> None:
        super().__init__(directory)
        place = upstream.removeprefix("http://").replace("unix:", "unix/")
        sites = sites.replace("chat.example {", f"http://:{self.port} {{").replace(UPSTREAM, place)
        file = directory / "Caddyfile"
        file.write_text(f"{{\n    admin off\n    auto_https off\n}}\n{sites}")
        self._start("run", "--config", file, "--adapter", "caddyfile")


class HAProxy(Proxy):
    """`sections` are written for `UPSTREAM`; it listens with TLS."""

    program = "haproxy"
    scheme = "https"

    def __init__(self, upstream: str, directory: Path, sections: str, certificate: Path) -> None:
        super().__init__(directory)
        place = upstream.removeprefix("http://").replace("unix:", "unix@")
        sections = sections.replace("bind :443", f"bind 127.0.0.1:{self.port}")
        sections = sections.replace("/etc/ssl", str(certificate)).replace(UPSTREAM, place)
        file = directory / "haproxy.cfg"
        file.write_text(sections)
        self._start("-db", "-f", file)
