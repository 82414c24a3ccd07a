"""nginx before a server, as people put it there: a process of its own, ended by its pid."""

import contextlib
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from tests.peers.servers import LIMIT_S, free_port

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


class Nginx:
    """A proxy before `upstream`, a URL, whose `servers` are written for 127.0.0.1:8765; it listens
    on a port of its own, and with TLS where they do."""

    def __init__(self, upstream: str, directory: Path, servers: str = PLAIN) -> None:
        program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        assert program is not None, "nginx is not installed"
        self.port = free_port()
        found = LISTEN.search(servers)
        assert found is not None
        self.url = f"{'https' if found['tls'] else 'http'}://127.0.0.1:{self.port}"
        servers = LISTEN.sub(rf"listen 127.0.0.1:{self.port}\g<tls>;", servers)
        servers = servers.replace("127.0.0.1:8765", upstream.removeprefix("http://"))
        self._directory = directory
        file = directory / "nginx.conf"
        file.write_text(CONFIGURATION.format(directory=directory, servers=servers))
        self._process = subprocess.Popen(
            [program, "-p", str(directory), "-c", str(file), "-e", str(directory / "error.log")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        until_s = time.monotonic() + LIMIT_S
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), LIMIT_S).close()
                return
            assert self._process.poll() is None, self.log
            assert time.monotonic() < until_s, self.log

    @property
    def log(self) -> str:
        """What it warns of: answers that it could not pass on, above all."""
        return (self._directory / "error.log").read_text()

    def stop(self) -> None:
        """SIGTERM."""
        self._process.terminate()
        self._process.wait(LIMIT_S)
