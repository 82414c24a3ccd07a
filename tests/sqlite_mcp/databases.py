"""Databases to ask about, and the answers to a request without MCP and without Trio."""

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import attrs

from chatd.answers.requests import DatabaseFailed, Request, RunStatement, Terms
from chatd.answers.table import Column, Row
from chatd.db_mcp.collecting import KeptRows
from chatd.db_mcp.feeding import Outcome
from chatd.db_mcp.interrupt import Interrupt
from chatd.sqlite_mcp.handle import DatabaseFile
from chatd.sqlite_mcp.reading import answer

SCHEMA = """
CREATE TABLE people (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name VARCHAR(40) NOT NULL,
    born DATE,
    salary DECIMAL(10, 2) DEFAULT 0,
    photo BLOB,
    anything,
    boss INTEGER REFERENCES people (id)
);
CREATE TABLE secrets (word TEXT, people_id INTEGER REFERENCES people);
CREATE TABLE audit (what TEXT);
CREATE INDEX people_by_name ON people (name);
CREATE VIEW names AS SELECT id, name FROM people;
CREATE VIRTUAL TABLE notes USING fts5 (body);
CREATE TRIGGER people_audit AFTER UPDATE ON people
BEGIN
    INSERT INTO audit VALUES (new.name);
END;
INSERT INTO people (name, born, salary, photo, anything, boss) VALUES
    ('Ada', '1815-12-10', 10.5, x'00ff', NULL, NULL),
    ('Жанна 🐘', NULL, '7.25', NULL, 9007199254740993, 1),
    ('<b>', '2000-01-01', NULL, zeroblob(3), 'text', 1);
INSERT INTO secrets VALUES ('swordfish', 1);
INSERT INTO notes VALUES ('the quick brown fox'), ('a lazy dog');
"""


def make_database(path: Path) -> Path:
    """A database with something of everything that SQLite has."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
    return path


def checksum(path: Path) -> str:
    """Of the file, to see whether anything was written."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@attrs.frozen
class Answer:
    """A whole answer."""

    outcome: Outcome
    columns: Sequence[Column]
    rows: Sequence[Row]


def ask(path: Path, request: Request, *, writable: bool = False, **terms: object) -> Answer:
    """Carry a request out. Raises `DatabaseFailed`."""
    rows = KeptRows()
    place = DatabaseFile(path, writable)
    outcome = answer(place, request, Terms(**terms), rows, Interrupt())  # type: ignore[arg-type]
    return Answer(outcome, rows.header, rows.kept)


def query(path: Path, sql: str, **terms: object) -> Answer:
    """The answer to a statement that reads."""
    return ask(path, RunStatement(sql), **terms)  # type: ignore[arg-type]


def write(path: Path, sql: str, **terms: object) -> Answer:
    """The answer to a statement where the connection and the question both allow writes."""
    return ask(path, RunStatement(sql), writable=True, read_only=False, **terms)  # type: ignore[arg-type]


def failure(path: Path, request: Request, **terms: object) -> DatabaseFailed:
    """How a request fails."""
    try:
        answered = ask(path, request, **terms)  # type: ignore[arg-type]
    except DatabaseFailed as failed:
        return failed
    raise AssertionError(f"{request} was answered: {answered}")
