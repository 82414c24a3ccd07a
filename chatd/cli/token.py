"""`chatd token`: make tokens, and check them."""

import datetime
import io
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
import trio

from chatd.app.directory import check_directory, rooms_once
from chatd.app.errors import EXIT_CONFIG, EXIT_DAMAGED, EXIT_FAILURE
from chatd.app.secret import (
    has_real_keys,
    key_set_place,
    known_secret,
    make_keys,
    make_verifier,
    mint_token,
    secret_for,
    usual_rooms,
)
from chatd.auth import (
    DirectoryFailed,
    Grant,
    Identity,
    KeyRing,
    KeySource,
    KeyUnknown,
    Revocations,
    RevocationsUnreadable,
    TokenRefused,
    fetch_from,
    read_revocations,
    token_in,
)
from chatd.auth.pasted import PASTED_CHARS_MAX
from chatd.cli.options import (
    DiscreetCommand,
    DiscreetGroup,
    configured,
    fail,
    load_config,
    say,
    state_dir_of,
    tell,
    warn,
)
from chatd.config import Config
from chatd.observe.clock import Clock
from chatd.wire.names import Role

NOT_READ: Final = (
    "Nobody can say whether the token is good: the key set that may have its key cannot be read."
)
NO_ADMINISTRATORS: Final = (
    "The configuration knows no administrators: set auth.admin_claim, to app_metadata.role say, "
    "and auth.admin_role to what that claim is for them (chatd docs administration)."
)
NO_ROOMS: Final = {
    "claim": "the token lists none in its claim {}",
    "file": "[directory.connections] gives this user none",
    "sql": "directory.query gives this user none; where the tables have row-level security, a "
    "policy has to let the user of directory.url read them",
}
"""Why a token gives no room, by the source of the directory."""


@click.group(cls=DiscreetGroup)
def token() -> None:
    """Make and check tokens."""


@token.command()
@configured
@click.option("--user", required=True, help="The user id (sub).")
@click.option(
    "--room",
    "rooms",
    multiple=True,
    help='A connectionId to grant, where directory.source is "claim"; repeatable.',
)
@click.option("--name", help="The name that others are shown.")
@click.option(
    "--admin", "is_admin", is_flag=True, help="Also for the page at /admin (auth.admin_claim)."
)
@click.option("--ttl", default=86_400, show_default=True, help="Seconds until it expires.")
@click.option("--state-dir", help="Where the generated secret is kept (state.dir).")
def mint(
    config_path: Path | None,
    user: str,
    rooms: tuple[str, ...],
    name: str | None,
    is_admin: bool,
    ttl: int,
    state_dir: str | None,
) -> None:
    """Print a token for a user, signed with the daemon's secret.

    Without --room it grants the rooms that have a database, or the sample's room, demo. If
    directory.source is "file" or "sql", the directory says which rooms the user has, and the token
    does not. If there is no secret yet, one is made.
    """
    if ttl < 1:
        raise click.UsageError("--ttl must be at least 1.")
    loaded = load_config(config_path, state__dir=state_dir)
    if is_admin and not loaded.config.auth.admin_claim:
        fail(NO_ADMINISTRATORS, EXIT_CONFIG)
    directory = state_dir_of(loaded.config)
    is_made = known_secret(loaded.config, directory) is None
    secret = secret_for(loaded.config, directory)
    if secret is None:
        fail(
            "There is no auth.jwt_secret to sign with: the tokens of this configuration come from "
            f"whoever has the keys of {key_set_place(loaded.config) or 'auth.former_secrets'}.",
            EXIT_CONFIG,
        )
    granted = rooms or usual_rooms(loaded.config)
    # Later than what was revoked, even if that is within this very second.
    now_s = max(Clock().wall_s(), _revocations(directory).moment_s(user) + 1)
    try:
        token = mint_token(
            loaded.config, secret, user, granted, name, ttl, now_s, is_administrator=is_admin
        )
        grants = _grants_of(loaded.config, secret, token, now_s)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except TokenRefused as error:
        raise click.UsageError(f"No daemon would take it: {error.reason}") from error
    if is_made:
        tell(
            f"A new secret was made in {directory}; only a daemon with this state directory takes "
            "the token."
        )
    source, claim = loaded.config.directory.source, loaded.config.directory.claim
    if rooms and source != "claim":
        warn(f'--room has no effect: the rooms of a user come from directory.source "{source}".')
    if grants is not None and not grants:
        warn(f"{user} has no room: {NO_ROOMS[source].format(claim)}.")
    say(token)


def _grants_of(config: Config, secret: str, token: str, now_s: float) -> Mapping[str, Grant] | None:
    """The rooms that a daemon of this configuration gives for a token made at this moment; None if
    a database would have to say. Raises TokenRefused."""
    identity = make_verifier(config, make_keys(config, secret)).verify(token, now_s)
    return None if config.directory.source == "sql" else trio.run(rooms_once, config, identity)


class _TokenCheck(DiscreetCommand):
    takes_no_argument = "Pipe the token to standard input: others can read arguments."


@token.command(cls=_TokenCheck)
@configured
@click.option("--state-dir", help="Where the generated secret is kept (state.dir).")
def check(config_path: Path | None, state_dir: str | None) -> None:
    """Check the token on standard input.

    The command tells what chatd reads in the token: the user, the name, the rooms, which key has
    signed it, and when it expires. It reads the key set as the daemon does. The token is not an
    argument, since other users of the machine can read arguments.
    """
    loaded = load_config(config_path, state__dir=state_dir)
    directory = state_dir_of(loaded.config)
    secret = known_secret(loaded.config, directory)
    if secret is None and not has_real_keys(loaded.config):
        fail(
            f"There is no secret in {directory}; "
            "is this the daemon's state directory (--state-dir)?",
            EXIT_FAILURE,
        )
    keys = make_keys(loaded.config, secret)
    verifier = make_verifier(loaded.config, keys)
    input_ = sys.stdin.buffer if sys.stdin is not None else io.BytesIO()
    given = input_.read(PASTED_CHARS_MAX + 1).decode(errors="replace").strip()
    if not given:
        fail("Nothing came on standard input; pipe the token in.", EXIT_FAILURE)
    trouble, is_readable = _read_key_set(loaded.config, keys)
    now_s = Clock().wall_s()
    try:
        identity = verifier.verify(token_in(given), now_s)
        _revocations(directory).check(identity)
        rooms = _rooms(loaded.config, identity)
    except KeyUnknown as error:
        why = f"{error.code}: {error.reason}" if is_readable else NOT_READ
        fail("\n".join([*trouble, why]), EXIT_FAILURE)
    except TokenRefused as error:
        fail("\n".join([*trouble, f"{error.code}: {error.reason}"]), EXIT_FAILURE)
    except DirectoryFailed as error:
        fail(f"The token is good, but the directory of rooms fails: {error.reason}", EXIT_FAILURE)
    for sentence in trouble:
        tell(sentence)
    say(_goodness(identity, now_s))
    say(f"name: {identity.name or 'none; others see the user id'}")
    say(f"rooms: {rooms}")
    say(f"signed: {_signature(loaded.config, identity)}")
    say(f"issued: {_moment(identity.issued_at_s)}")
    say(f"expires: {_moment(identity.expires_at_ms / 1000)}")


def _goodness(identity: Identity, now_s: float) -> str:
    """How long a token that was accepted at `now_s` is good."""
    left_s = identity.expires_at_ms / 1000 - now_s
    if left_s <= 0:
        return (
            f"The token of user {identity.user_id!r} expired {-left_s:.0f} s ago, "
            "and is still taken thanks to auth.leeway_s."
        )
    return f"The token is good for user {identity.user_id!r} for {left_s:.0f} s."


def _read_key_set(config: Config, keys: KeyRing) -> tuple[list[str], bool]:
    """Read the key set, if there is one, into `keys`; returns what is wrong with it, and whether it
    could be read."""
    place = key_set_place(config)
    if place is None:
        return [], True
    trouble: list[str] = []
    source = KeySource(
        place,
        keys,
        fetch_from(place, Path.cwd()),
        lambda _place, key_set: trouble.extend(f"In {place} {one}." for one in key_set.passed_over),
        lambda _place, why: trouble.append(f"The key set {place} {why}."),
    )
    trio.run(source.read)
    return trouble, source.failure is None


def _revocations(directory: Path) -> Revocations:
    """The revocations that the daemon knows."""
    try:
        return read_revocations(directory)
    except RevocationsUnreadable as error:
        fail(str(error), EXIT_DAMAGED)
    except OSError as error:
        fail(
            f"The list of revoked users in {directory} cannot be read: {error.strerror}; "
            "run this as the daemon's user.",
            EXIT_FAILURE,
        )


def _signature(config: Config, identity: Identity) -> str:
    """Which key has signed a token that was accepted."""
    key = identity.key
    assert key is not None  # every verified identity has it
    place = key_set_place(config)
    if key.algorithm_name == "HS256":
        ends = "" if key.until_s == math.inf else f", until {_moment(key.until_s)}"
        return f"HS256, with a secret{ends}"
    named = "a key without a name" if key.key_id is None else f"the key {key.key_id}"
    return f"{key.algorithm_name}, with {named} of {place}"


def _rooms(config: Config, identity: Identity) -> str:
    """The rooms that the user gets with this token. Raises TokenRefused, DirectoryFailed,
    StartFailedError."""
    directory = config.directory
    check_directory(config)
    grants = trio.run(rooms_once, config, identity)
    if not grants:
        return f"none; {NO_ROOMS[directory.source].format(directory.claim)}"
    shown = ", ".join(map(_shown, grants.values()))
    is_all = directory.source == "file" and len(grants) == len(directory.connections)
    return f"all: {shown}" if is_all else shown


def _shown(grant: Grant) -> str:
    role = None if grant.role is Role.MEMBER else grant.role.value
    beside = ", ".join(word for word in (grant.title, role) if word is not None)
    return f"{grant.connection_id} ({beside})" if beside else grant.connection_id


def _moment(at_s: float) -> str:
    return f"{datetime.datetime.fromtimestamp(int(at_s), datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"
