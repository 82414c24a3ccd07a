"""What verifies tokens, as the file gives it: key sets, former secrets, a project of Supabase.

    [auth]
    jwks = "https://issuer.example/.well-known/jwks.json"     # or the path of a file
    former_secrets = [{ secret = "...", until = 2027-01-31T00:00:00Z }]

    [auth.supabase]
    url = "https://abcdefgh.supabase.co"

A key set that comes by http could be anybody's, so http is only for this machine.
"""

import datetime
import ipaddress
import tomllib
from collections.abc import Mapping
from pathlib import PurePath
from urllib.parse import SplitResult, urlsplit

import attrs

from chatd.auth import Caller, FormerSecret
from chatd.config.errors import Faults, InvalidValue
from chatd.config.kinds import Text, Texts, ValueKind
from chatd.config.tables import TableKind

KEY_SETS_PATH = "/auth/v1/.well-known/jwks.json"
ISSUER_PATH = "/auth/v1"


@attrs.frozen
class KeySetPlace(ValueKind):
    """Where a key set is: an address of https, one of http on this machine, a path, or empty."""

    wants: str = (
        'an address as "https://issuer.example/.well-known/jwks.json" (http on this machine only), '
        "without user and password, or the path of a file"
    )

    def structure(self, value: object) -> str:
        text = Text(self.wants, secret=True).structure(value)
        if "://" not in text:
            if text == "" or PurePath(text).name:
                return text
        elif _safe(text) is not None:
            return text
        raise InvalidValue(f"must be {self.wants}")


@attrs.frozen
class SupabaseProject(ValueKind):
    """The table `[auth.supabase]`, which has one key, the address of the project, and becomes that
    address."""

    wants: str = (
        'the address of the project, as url = "https://abcdefgh.supabase.co", with nothing behind '
        "it (http on this machine only)"
    )

    def structure(self, value: object) -> str:
        if not isinstance(value, Mapping):
            return self._address(value, "")
        faults = Faults()
        for name in value:
            if name != "url":
                faults.unknown(str(name), ("url",), f".{name}")
        faults.raise_any()
        return self._address(value.get("url", ""), ".url")

    def _address(self, value: object, at: str) -> str:
        if value == "":
            return ""
        parts = _safe(value) if isinstance(value, str) else None
        if parts is None or parts.query or parts.fragment or "/v1" in parts.path:
            raise InvalidValue(f"must be {self.wants}", at)
        return parts.geturl().rstrip("/")


def _safe(text: str) -> SplitResult | None:
    """The parts of an address that a key set may come from."""
    try:
        parts = urlsplit(text)
        is_good = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return None
    if not is_good or not text.isprintable() or " " in text:
        return None
    is_here = parts.scheme == "http" and _is_loopback(parts.hostname or "")
    return parts if parts.scheme == "https" or is_here else None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@attrs.frozen
class _Moment(ValueKind):
    """A moment with its offset, held as seconds since the epoch."""

    wants: str = "a moment with its offset, as 2027-01-31T00:00:00Z"

    def structure(self, value: object) -> float:
        if isinstance(value, str):
            try:
                value = datetime.datetime.fromisoformat(value)
            except ValueError:
                raise self.refusal(value) from None
        if not isinstance(value, datetime.datetime) or value.tzinfo is None:
            raise InvalidValue(f"must be {self.wants}")
        return value.timestamp()


_FORMER = TableKind(
    "a table with secret and until",
    {
        "secret": Text("a text without control characters", empty=False, secret=True),
        "until": _Moment(),
    },
    made=FormerSecret,
    make=lambda secret, until: FormerSecret(secret, until),
    required={"secret": "the secret", "until": "when it ends, as 2027-01-31T00:00:00Z"},
)


@attrs.frozen
class FormerSecrets(ValueKind):
    """A list of secrets that end; errors never show one."""

    wants: str = 'a list as [{ secret = "...", until = 2027-01-31T00:00:00Z }]'

    @property
    def entry(self) -> ValueKind:
        return _FORMER

    def structure(self, value: object) -> tuple[FormerSecret, ...]:
        if not isinstance(value, list | tuple):
            raise InvalidValue(f"must be {self.wants}")
        faults = Faults()
        former: list[FormerSecret] = []
        for index, entry in enumerate(value):
            if not isinstance(entry, Mapping | FormerSecret):
                faults.add(f"must be a table in {self.wants}", f"[{index}]")
                continue
            with faults.gathered(f"[{index}]"):
                former.append(_FORMER.structure(entry))
        faults.raise_any()
        return tuple(former)

    def read(self, text: str) -> object:
        try:
            document = tomllib.loads(f"value = {text.strip()}")
        except (ValueError, RecursionError):  # whose text may hold a secret
            document = {}
        if len(document) != 1:
            raise InvalidValue(f"must be {self.wants}")
        return document["value"]


def _caller(text: str) -> str | None:
    return text if text in list(Caller) else None


CALLERS = Texts('one of "anonymous", "anon" and "service_role", as in ["anonymous"]', _caller)
