"""What tokens are verified with: secrets and key sets that are configured, or a secret that is
generated for this host.

Only the owner of the state directory knows a generated secret, so with it the daemon listens on
loopback only.
"""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chatd.app.errors import EXIT_CONFIG, EXIT_FAILURE, StartFailedError
from chatd.app.hosts import is_loopback
from chatd.app.known_secrets import is_known
from chatd.app.settings import administrator_rule
from chatd.auth import (
    Caller,
    KeyRing,
    KeySet,
    Verifier,
    bound_secret,
    load_or_create_secret,
    load_secret,
    mint,
)
from chatd.config import DEMO_ROOM, Config
from chatd.config.tokens import ISSUER_PATH, KEY_SETS_PATH

SECRET_NAME: Final = "jwt-secret"  # in the state directory
USUAL_ROOMS_MAX: Final = 20  # that a token gets unasked: many names would make it too long


def key_set_place(config: Config) -> str | None:
    """Where the issuer's key set is, an address or a path; None if none is configured."""
    auth = config.auth
    preset = f"{auth.supabase}{KEY_SETS_PATH}" if auth.supabase else None
    return auth.jwks or preset


def issuer_of(config: Config) -> str:
    """What `iss` of a token must be; empty: it is not checked."""
    auth = config.auth
    return auth.issuer or (f"{auth.supabase}{ISSUER_PATH}" if auth.supabase else "")


def has_real_keys(config: Config) -> bool:
    """Whether the operator says what tokens are verified with."""
    auth = config.auth
    return bool(auth.jwt_secret or auth.former_secrets or key_set_place(config))


def can_mint(config: Config) -> bool:
    """Whether `chatd token mint` has a secret to sign with, configured or generated; else only an
    issuer makes tokens."""
    return bool(config.auth.jwt_secret) or not has_real_keys(config)


def make_keys(config: Config, secret: str | None) -> KeyRing:
    """What tokens are verified with: `secret` (None if there is none), the former secrets, and the
    key set, which is empty until it is read. Raises StartFailedError for an unusable secret."""
    key = "auth.jwt_secret"
    secrets = []
    try:
        if secret is not None:
            secrets.append(bound_secret(secret))
        key = "auth.former_secrets"
        secrets += [bound_secret(old.secret, old.until_s) for old in config.auth.former_secrets]
        return KeyRing(secrets, KeySet() if key_set_place(config) else None)
    except ValueError as error:
        raise StartFailedError(f"{key}: {error}.", EXIT_CONFIG) from error


def make_verifier(config: Config, keys: KeyRing) -> Verifier:
    """What verifies tokens."""
    auth = config.auth
    allowed = frozenset(map(Caller, auth.allow))
    leeway_s, issuer = int(auth.leeway_s), issuer_of(config)
    return Verifier(keys, auth.audience, issuer, leeway_s, auth.max_token_bytes, allowed)


def check_secret(config: Config) -> None:
    """Refuse a configuration whose tokens strangers could sign. Raises StartFailedError."""
    if has_real_keys(config):
        make_keys(config, config.auth.jwt_secret or None)
    if not is_loopback(config.server.host) and not _is_safe(config):
        raise _open_to_others(config, config.server.host)


def check_reach(config: Config, listeners: Sequence[socket.socket]) -> None:
    """The same for the addresses that a host turned out to be: a name may stand for any. Raises
    StartFailedError."""
    if _is_safe(config):
        return
    for listener in listeners:
        if listener.family == socket.AF_UNIX:  # only this machine can reach it
            continue
        address = str(listener.getsockname()[0])
        if not is_loopback(address):
            raise _open_to_others(config, f"{config.server.host} ({address})")


def _is_safe(config: Config) -> bool:
    """Whether only those to whom the operator gave a key can sign tokens."""
    return has_real_keys(config) and not _has_known_secret(config)


def _has_known_secret(config: Config) -> bool:
    former = (one.secret for one in config.auth.former_secrets)
    return any(map(is_known, filter(None, (config.auth.jwt_secret, *former))))


def _open_to_others(config: Config, where: str) -> StartFailedError:
    if _has_known_secret(config):
        return StartFailedError(
            f"On {where} chatd is open to others, and everybody knows this auth.jwt_secret: it is "
            "an example's, or one short text over and over; set one of your own, or listen "
            "on 127.0.0.1.",
            EXIT_CONFIG,
        )
    return StartFailedError(
        f"On {where} chatd is open to others: set auth.supabase.url, auth.jwks or auth.jwt_secret "
        "(or CHATD_AUTH__JWT_SECRET) to what your project has, or listen on 127.0.0.1.",
        EXIT_CONFIG,
    )


def secret_for(config: Config, state_dir: Path) -> str | None:
    """The secret that tokens are signed with: the configured one, or one generated for this host;
    None if an issuer signs them, and nobody here can.

    Raises StartFailedError if there is none that may be used.
    """
    secret = known_secret(config, state_dir)
    if secret is not None or has_real_keys(config):
        return secret
    try:
        return load_or_create_secret(state_dir / SECRET_NAME)
    except ValueError as error:
        raise _unusable(error) from error
    except OSError as error:
        raise StartFailedError(
            f"The secret in {state_dir} cannot be kept: {error.strerror}; "
            "make the directory writable or set state.dir.",
            EXIT_FAILURE,
        ) from error


def known_secret(config: Config, state_dir: Path) -> str | None:
    """The same secret if there is one already, else None; nothing is written.

    Raises StartFailedError if it may not be used, or cannot be read.
    """
    check_secret(config)
    if has_real_keys(config):
        return config.auth.jwt_secret or None
    path = state_dir / SECRET_NAME
    try:
        secret = load_secret(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise _unusable(error) from error
    except OSError as error:
        is_of_another = isinstance(error, PermissionError)
        advice = "run this as the daemon's user" if is_of_another else "set state.dir"
        raise StartFailedError(
            f"The secret {path} cannot be read: {error.strerror}; {advice}.", EXIT_FAILURE
        ) from error
    make_keys(config, secret)
    return secret


def usual_rooms(config: Config) -> tuple[str, ...]:
    """The rooms that a token grants if nobody names any: the first ones that have a database, or
    the sample's."""
    return tuple(config.databases)[:USUAL_ROOMS_MAX] or (DEMO_ROOM,)


def mint_token(
    config: Config,
    secret: str,
    user_id: str,
    rooms: Sequence[str],
    name: str | None,
    ttl_s: int,
    now_s: float,
    *,
    is_administrator: bool = False,
) -> str:
    """A token that this daemon accepts; for the page at /admin too, if it is an administrator's.
    Raises ValueError, with a sentence, for one that it would not."""
    return mint(
        secret,
        user_id=user_id,
        rooms=rooms,
        name=name,
        ttl_s=ttl_s,
        now_s=now_s,
        audience=config.auth.audience,
        issuer=issuer_of(config),
        claim=config.directory.claim,
        administrator=administrator_rule(config) if is_administrator else None,
    )


def _unusable(error: ValueError) -> StartFailedError:
    text = str(error)
    return StartFailedError(f"{text[:1].upper()}{text[1:]}.", EXIT_CONFIG)
