"""The secrets that a db-mcp is started with, and how they are masked in what it writes; pure.

A db-mcp that does not start says why on its standard error, often with the address of the database
in it. What is secret there is known: the values of its environment, and the passwords in these and
in its command. Each is found as it is, and as programs write it: percent-encoded or decoded, with
backslashes before quotes, as escapes of JSON or Python, in another encoding of text, in Base64 and
in hexadecimal digits. What looks like a password in an address is masked in any case.

A value that is not secret is masked too if it is the value of such a variable; a value of less than
`VALUE_CHARS_MIN` characters is masked only if its name or its place makes it a password, and only
as a word of its own. A sentence of chatd's own db-mcp says what to do, and stays as it is: it tells
nothing of a password that happens to be one of its words.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

from chatd.answers.mcp.contract import NO_PSYCOPG

MASK: Final = b"***"
VALUE_CHARS_MIN: Final = 4
"""A variable like `DEBUG=1` is not a secret, and masking its value would make everything else
unreadable."""
LINE_CHARS_MIN: Final = 8
"""A single line of a multi-line secret, such as a key, is masked by itself if it has so many
characters."""
BASE64_BYTES_MIN: Final = 6
"""Shorter ones are found in Base64 by chance."""

_OWN_SENTENCE: Final = re.compile(re.escape(NO_PSYCOPG.encode()))

_SECRET_NAME: Final = r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|credentials?)"
_NAMED: Final = re.compile(
    rf"{_SECRET_NAME}[\"']?\s*[=:]\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"';&,}}]+))", re.IGNORECASE
)
_OPTION: Final = re.compile(rf"--?(?:[a-z]+[-_])*{_SECRET_NAME}", re.IGNORECASE)
_VARIABLE: Final = re.compile(rf"(?:^|_){_SECRET_NAME}(?:_|$)|PASS|KEY$", re.IGNORECASE)
_PASSWORD: Final = re.compile(r"(://[^/\s:@]*):[^@\s]*@")
_IN_ADDRESS: Final = re.compile(rb"(?<=://)[^/\s:@]{0,256}:([^\s@]{0,256})(?=@)")
_ESCAPED: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\0": "0"}


def secrets_of(variables: Mapping[str, str], command: Sequence[str] = ()) -> frozenset[str]:
    """What must not be shown of a db-mcp that has these variables and this command."""
    found: set[str] = set()
    for name, value in variables.items():
        if len(value) >= VALUE_CHARS_MIN or _VARIABLE.search(name):
            found.add(value)
        found.update(_passwords(value))
    for before, word in zip(("", *command), command, strict=False):
        if _OPTION.fullmatch(before):
            found.add(word)
        found.update(_passwords(word))
    lines = {line for one in found for line in one.splitlines() if len(line) >= LINE_CHARS_MIN}
    return frozenset(one for one in found | lines if one.strip())


def has_password(text: str) -> bool:
    """Whether a text is an address with a password in it, or settings with one.

    >>> has_password("postgresql://reader@db/shop"), has_password("host=db password=hunter2")
    (False, True)
    """
    return any(_passwords(text))


def is_secret_variable(name: str, value: str) -> bool:
    """Whether nobody may know what a variable says: its name tells, or there is a password in it.

    >>> is_secret_variable("API_KEY", "x"), is_secret_variable("PGSSLMODE", "verify-full")
    (True, False)
    """
    return bool(value) and (_VARIABLE.search(name) is not None or has_password(value))


def _passwords(text: str) -> Iterator[str]:
    """The passwords in an address, or in settings such as `host=db password=...`, both as they
    are written and decoded."""
    for match in _NAMED.finditer(text):
        word = next(group for group in match.groups() if group is not None)
        yield from (word, unquote(word), unquote_plus(word))
    try:
        address = urlsplit(text)
        password = address.password
    except ValueError:
        return
    if password:
        yield from (password, unquote(password))
    for name, value in parse_qsl(address.query):
        if _VARIABLE.search(name):
            yield value


def without_passwords(text: str) -> str:
    """The text with a mask in the place of the password of each address.

    >>> without_passwords("postgresql://reader:hunter2@db/shop")
    'postgresql://reader:***@db/shop'
    """
    return _PASSWORD.sub(rf"\1:{MASK.decode()}@", text)


class Masks:
    """Finds secrets in bytes. `longest` is how many bytes the longest of them can take."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted(set(secrets), key=len, reverse=True)
        self.longest = _BYTES_A_CHAR * max(map(len, self._secrets), default=0)

    @cached_property
    def _pattern(self) -> re.Pattern[bytes] | None:
        """All secrets in all ways of writing them; made only when it is needed, which is seldom."""
        ways = [
            way if len(secret) >= VALUE_CHARS_MIN else rb"(?<![0-9A-Za-z])%b(?![0-9A-Za-z])" % way
            for secret in self._secrets
            for way in _ways(secret)
        ]
        return re.compile(b"|".join(ways)) if ways else None

    def spans(self, text: bytes) -> list[tuple[int, int]]:
        """Where a text has secrets; the spans do not touch each other."""
        found = [match.span(1) for match in _IN_ADDRESS.finditer(text)]
        at = 0
        while self._pattern is not None and (match := self._pattern.search(text, at)) is not None:
            found.append(match.span())
            at = match.start() + 1  # one may begin within another
        own = [match.span() for match in _OWN_SENTENCE.finditer(text)]
        found = [one for one in found if not any(_is_within(one, sentence) for sentence in own)]
        joined: list[tuple[int, int]] = []
        for start, end in sorted(found):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        return joined

    def masked(self, text: bytes, since: int = 0) -> bytes:
        """The text from `since` on, with a mask in the place of each secret."""
        parts: list[bytes] = []
        at = since
        for start, end in self.spans(text):
            if end <= since:
                continue
            parts += (text[at:start], MASK)
            at = end
        return b"".join((*parts, text[at:]))


def _is_within(span: tuple[int, int], other: tuple[int, int]) -> bool:
    return other[0] <= span[0] and span[1] <= other[1]


_BYTES_A_CHAR: Final = 16
"""Bytes that a character of a secret takes at most, in the ways of `_any_way`: 4 bytes, each of
them percent-encoded, or an escape."""


def _ways(secret: str) -> Iterator[bytes]:
    """Patterns for all the ways in which a secret is written."""
    raw = secret.encode("utf-8", "surrogateescape")
    # Backslashes that follow each other are one run, so that no pattern is tried in many ways.
    yield b"".join(_any_way(one.group()) for one in re.finditer(r"\\+|[^\\]", secret, re.DOTALL))
    yield b"".join(b"%%(?i:%02x)" % byte for byte in raw)
    yield b"(?i:%s)" % raw.hex().encode()
    for encoding in ("utf-16-le", "utf-16-be"):
        yield re.escape(secret.encode(encoding, "surrogatepass"))
    if len(raw) >= BASE64_BYTES_MIN:
        for inner in _in_base64(raw):  # and a character that has bits of it and of what follows
            yield re.escape(inner) + rb"[\w+/-]?"


def _any_way(run: str) -> bytes:
    """A pattern for all the ways in which a character, or a run of backslashes, is written.

    No text fits two of the ways at once, or a search could take a time that grows exponentially.
    """
    if run.startswith("\\"):
        most = len(run)
        return rb"(?:\\{%d,%d}|(?:%%5[cC]){%d})" % (most, 4 * most, most)
    raw = run.encode("utf-8", "surrogateescape")
    if run.isascii() and run.isalnum():
        return raw
    ways = {rb"\\{0,3}" + re.escape(raw)}
    ways.add(b"".join(b"%%(?i:%02x)" % byte for byte in raw))
    number = ord(run)
    ways.add(rb"\\{1,2}u(?i:%04x)" % number if number < 0x10000 else rb"\\{1,2}U(?i:%08x)" % number)
    if number >= 0x10000:
        high, low = 0xD800 + (number - 0x10000 >> 10), 0xDC00 + (number - 0x10000 & 0x3FF)
        ways.add(rb"\\{1,2}u(?i:%04x)\\{1,2}u(?i:%04x)" % (high, low))
    if number < 0x100:
        ways.add(rb"\\{1,2}x(?i:%02x)" % number)
    if len(raw) > 1:
        if number < 0x100:
            ways.add(re.escape(run.encode("latin-1")))
        ways.add(b"".join(rb"\\{1,2}x(?i:%02x)" % byte for byte in raw))
    if run == " ":
        ways.add(rb"\+")
    if run in _ESCAPED:
        ways.add(rb"\\{1,2}" + _ESCAPED[run].encode())
    return b"(?:%s)" % b"|".join(sorted(ways))


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """What Base64 makes of these bytes, wherever they begin in a group of three: the characters
    that depend on nothing else."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw)
        bits = 8 * (before + len(raw))
        inner = whole[-(-8 * before // 6) : bits // 6]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))
