"""What answers cost: the first row over a warm peer, and 10,000 rows to 100 sockets beside a chat.

usage: python -m tests.bench.answers

It starts a daemon of its own on loopback, with a room on the sample database and one on a file of
10,000 rows, and prints a table: the time from sending a question to its first row, the time until
all sockets have the last row, and the acks of a chat in another room without and with that beside
it. Times are of this machine in this run.
"""

import json
import multiprocessing
import os
import selectors
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.app.client import token_for
from tests.bench.chat_daemon import LIMITS

SECRET = "a secret for the bench alone, of more than 32 bytes"
ROWS, SOCKETS, QUESTIONS = 10_000, 100, 30
TALK_S = 4.0
CONFIG = """
[answers]
max_rows = 20_000
max_bytes = 8_000_000
cache_ttl_s = 0
[databases.demo]
sample = true
[databases.large]
sqlite = "{file}"
[server]
backlog_bytes = 33_554_432
"""


class Wire:
    """One WebSocket of a client that is in a hurry: frames in, frames out, nothing parsed."""

    def __init__(self, port: int, user: str, room: str) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.sendall(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        self.seen = b""
        auth = {"token": token_for(SECRET, user, [room]), "connectionId": room}
        self.send("40" + json.dumps(auth))
        self.until(b"chat:history")

    def send(self, text: str) -> None:
        data = text.encode()
        head = b"\x81" + bytes([0x80 | min(len(data), 126)])
        if len(data) >= 126:
            head += len(data).to_bytes(2, "big")
        self.sock.sendall(head + bytes(4) + data)  # a mask of zeros changes nothing

    def ask(self, name: str, payload: dict[str, Any]) -> None:
        self.send("4217" + json.dumps([name, payload]))

    def until(self, mark: bytes) -> None:
        """Read until the mark was seen; what came before it is forgotten."""
        while mark not in self.seen:
            piece = self.sock.recv(1 << 20)
            assert piece, "the daemon hung up"
            self.seen = self.seen[-len(mark) :] + piece
        self.seen = self.seen.partition(mark)[2]


def message(content: str, room: str) -> dict[str, Any]:
    return {"messageId": str(uuid.uuid4()), "content": content, "connectionId": room}


def first_rows_ms(port: int) -> list[float]:
    """From sending each question to its first row."""
    wire = Wire(port, "first", "demo")
    took: list[float] = []
    for number in range(QUESTIONS):
        began_s = time.perf_counter()
        sql = f"SELECT id, name, price FROM products WHERE id > {number} LIMIT 20"
        wire.ask("chat:message", message(sql, "demo"))
        wire.until(b"chat:answer:rows")
        took.append((time.perf_counter() - began_s) * 1000)
        wire.until(b"chat:answer:end")
        time.sleep(0.05)
    return took


def talk(port: int, pipe: Connection) -> None:
    """Chat in another room for a while, each message on the ack of the last; sends the times."""
    wire = Wire(port, "talker", "talk")
    pipe.send("ready")
    while pipe.recv() != "end":
        took: list[float] = []
        end_s = time.perf_counter() + TALK_S
        while time.perf_counter() < end_s:
            began_s = time.perf_counter()
            wire.ask("chat:message", message("hello", "talk"))
            wire.until(b"4317[")
            took.append((time.perf_counter() - began_s) * 1000)
        pipe.send(took)


def stream_s(port: int, wires: list[Wire]) -> float:
    """Ask for all rows, and return when every socket has seen the end."""
    selector = selectors.DefaultSelector()
    for wire in wires:
        wire.seen = b""
        selector.register(wire.sock, selectors.EVENT_READ, wire)
    began_s = time.perf_counter()
    wires[0].ask("chat:message", message("SELECT * FROM rows", "large"))
    mark, left = b"chat:answer:end", len(wires)
    while left:
        for key, _ in selector.select(60):
            wire: Wire = key.data
            piece = wire.sock.recv(1 << 20)
            assert piece, "the daemon hung up"
            if mark in wire.seen + piece:
                selector.unregister(wire.sock)
                left -= 1
            wire.seen = piece[-len(mark) :]
    return time.perf_counter() - began_s


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        database = sqlite3.connect(directory / "large.sqlite3")
        database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, name TEXT, price TEXT)")
        database.executemany(
            "INSERT INTO rows VALUES (?, ?, ?)",
            ((n, f"product number {n}", f"{n}.99") for n in range(ROWS)),
        )
        database.commit()
        database.close()
        config = directory / "chatd.toml"
        config.write_text(CONFIG.format(file=directory / "large.sqlite3"))
        limits = {f"CHATD_LIMITS__{limit}": "1000000000" for limit in LIMITS}
        command = [sys.executable, "-m", "chatd", "serve", "--config", str(config), "--port", "0"]
        daemon = subprocess.Popen(
            [*command, "--state-dir", str(directory / "state"), "--log-format", "json"],
            stderr=subprocess.PIPE,
            env={**os.environ, **limits, "CHATD_AUTH__JWT_SECRET": SECRET},
        )
        try:
            measure(daemon)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)


def measure(daemon: "subprocess.Popen[bytes]") -> None:
    assert daemon.stderr is not None
    port, connected = 0, 0
    while not port or connected < 2:
        event = json.loads(daemon.stderr.readline())
        port = event["port"] if event["event"] == "daemon.started" else port
        connected += event["event"] == "database.connected"
    with open(os.devnull, "wb") as nowhere:
        drain = subprocess.Popen(("cat",), stdin=daemon.stderr, stdout=nowhere)
    show("first row of a query over a warm peer", first_rows_ms(port))
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    talker = spawn.Process(target=talk, args=(port, there), daemon=True)
    talker.start()
    here.recv()
    wires = [Wire(port, f"reader-{number}", "large") for number in range(SOCKETS)]
    stream_s(port, wires)  # once to warm up
    here.send("talk")
    show("acks of the chat in another room, alone", here.recv())
    here.send("talk")
    streams: list[float] = []
    while not here.poll():
        streams.append(stream_s(port, wires) * 1000)
    show("acks of the chat in another room, beside the streams", here.recv())
    show(f"{ROWS:,} rows to {SOCKETS} sockets, to the last one", streams)
    here.send("end")
    talker.join()
    drain.kill()


def show(what: str, took: list[float]) -> None:
    ordered = sorted(took)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    line = f"| {what} | {statistics.median(ordered):.1f} ms | {p99:.1f} ms | {len(ordered)} |"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.stdout.write("| what | median | p99 | times |\n|---|---|---|---|\n")
    main()
