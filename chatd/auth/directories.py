"""Two directories that never wait: the rooms that a token lists, and those of the file."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from chatd.auth.directory import DirectoryStatus, Grant, role_of
from chatd.auth.display import display_text
from chatd.auth.refusals import TokenRefused
from chatd.auth.tokens import Identity
from chatd.wire.codes import Code
from chatd.wire.identifiers import is_connection_id
from chatd.wire.names import Role

CLAIMED_ROOMS: Final = 1000
"""Entries of the list in a token (our choice; a token of 8 KiB has no room for more). A longer list
is refused as a whole: cutting it would lose rooms without a trace."""

EVERYBODY: Final = "*"

_WELL: Final = DirectoryStatus()
_NO_ROOMS: Final[Mapping[str, Grant]] = MappingProxyType({})


class _Immediate(ABC):
    """A directory that never waits."""

    __slots__ = ()

    @property
    def status(self) -> DirectoryStatus:
        return _WELL

    @abstractmethod
    def grants_now(self, identity: Identity) -> Mapping[str, Grant]:
        """See `Directory.grants`."""

    async def grants(self, identity: Identity) -> Mapping[str, Grant]:
        return self.grants_now(identity)


def claim_path(path: str) -> tuple[str, ...]:
    """The keys of a dotted path into a token's claims; ValueError if one of them is empty."""
    keys = tuple(path.split("."))
    if not all(keys):
        raise ValueError(
            f"the claim {path!r} is not a dotted path such as app_metadata.connections"
        )
    return keys


class ClaimDirectory(_Immediate):
    """The rooms that the token lists at a dotted path, such as `app_metadata.connections`.

    An entry is a connectionId, or an object `{id, title?, role?}`. Entries that are neither are
    ignored, since the issuer of tokens may know more kinds than we do, and so are those with an
    unknown role; of two for one room the first counts. Without the claim, or if it is null, there
    are no rooms. If it is not a list, or has more than `CLAIMED_ROOMS` entries, the token is
    invalid.

    With Supabase, keep the list where users cannot write it: they can write `user_metadata`.
    """

    __slots__ = ("_keys", "_path")

    def __init__(self, path: str) -> None:
        self._path = path
        self._keys = claim_path(path)

    def grants_now(self, identity: Identity) -> Mapping[str, Grant]:
        entries: Any = identity.claims
        for key in self._keys:
            if entries is None:
                break
            if not isinstance(entries, Mapping):
                raise self._refused("lies inside no object")
            entries = entries.get(key)
        if entries is None:
            return _NO_ROOMS
        if not isinstance(entries, list):
            raise self._refused("is not a list")
        if len(entries) > CLAIMED_ROOMS:
            raise self._refused(f"lists more than {CLAIMED_ROOMS} rooms")
        grants: dict[str, Grant] = {}
        for entry in entries:
            grant = _claimed_grant(entry)
            if grant is not None:
                grants.setdefault(grant.connection_id, grant)
        return grants

    def _refused(self, why: str) -> TokenRefused:
        return TokenRefused(Code.TOKEN_INVALID, f"The token's claim {self._path} {why}.")


def _claimed_grant(entry: object) -> Grant | None:
    title: str | None = None
    role: Role | None = Role.MEMBER
    if isinstance(entry, dict):
        title, role = display_text(entry.get("title")), role_of(entry.get("role"))
        entry = entry.get("id")
    if isinstance(entry, str) and is_connection_id(entry) and role is not None:
        return Grant(entry, title, role)
    return None


def _users(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str) and value != EVERYBODY:  # as a collection, it would be its letters
        raise ValueError(f"users is a list of user ids, or {EVERYBODY!r} for everybody")
    return tuple(value)


@attrs.frozen
class FileConnection:
    """One room of the configuration file: its title, and the user ids that may use it.

    The title is shown as `display_text` makes it; None: the connectionId is shown. `users` are its
    members, `owners` and `viewers` those with another role. Each is a collection of user ids, or
    "*" (also as one of them) for everybody with a valid token; another string is a ValueError. A
    user who is named in several lists has the greatest of these roles; who is named in any has no
    other by a "*".
    """

    title: str | None = None
    users: tuple[str, ...] = attrs.field(default=(), converter=_users)
    owners: tuple[str, ...] = attrs.field(default=(), converter=_users)
    viewers: tuple[str, ...] = attrs.field(default=(), converter=_users)

    def role_of(self, user_id: str | None) -> Role | None:
        """A user's role there, None if the user has none. The user None stands for anybody whom no
        list names."""
        lists = (
            (Role.OWNER, self.owners),
            (Role.MEMBER, self.users),
            (Role.VIEWER, self.viewers),
        )
        for one in (user_id, EVERYBODY):
            for role, users in lists:
                if one in users:
                    return role
        return None


class FileDirectory(_Immediate):
    """The rooms of the configuration file, by connectionId; worked out once, in advance.

    Raises ValueError for a key that is not a connectionId.
    """

    __slots__ = ("_of_everybody", "_of_user")

    def __init__(self, connections: Mapping[str, FileConnection]) -> None:
        named: set[str] = set()
        for connection_id, entry in connections.items():
            if not is_connection_id(connection_id):
                raise ValueError(
                    f"{connection_id!r:.160} is not a connectionId: "
                    "1 to 128 printable ASCII characters that open no HTML tag"
                )
            named.update(entry.users, entry.owners, entry.viewers)
        self._of_everybody = _granted(connections, None)
        self._of_user = {user_id: _granted(connections, user_id) for user_id in named}

    def grants_now(self, identity: Identity) -> Mapping[str, Grant]:
        return self._of_user.get(identity.user_id, self._of_everybody)


def _granted(connections: Mapping[str, FileConnection], user_id: str | None) -> Mapping[str, Grant]:
    roles = {name: entry.role_of(user_id) for name, entry in connections.items()}
    return MappingProxyType(
        {
            name: Grant(name, display_text(connections[name].title), role)
            for name, role in roles.items()
            if role is not None
        }
    )
