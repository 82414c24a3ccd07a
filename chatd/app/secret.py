"""The secret that tokens are signed with: configured, or generated for this host.

A generated one is known to the owner of the state directory alone, so with it the daemon listens on
loopback only.
"""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chatd.app.errors import EXIT_CONFIG, EXIT_FAILURE, StartFailedError
from chatd.app.hosts import is_loopback
from chatd.auth import Verifier, load_or_create_secret, load_secret, mint
from chatd.config import DEMO_ROOM, Config

SECRET_NAME: Final = "jwt-secret"  # in the state directory
USUAL_ROOMS_MAX: Final = 20  # that a token is given unasked: many names would make it too long


def make_verifier(config: Config, secret: str) -> Verifier:
    """What verifies tokens. Raises StartFailedError for a secret that is no good."""
    auth = config.auth
    try:
        return Verifier(
            secret, auth.audience, auth.issuer, int(auth.leeway_s), auth.max_token_bytes
        )
    except ValueError as error:
        raise StartFailedError(f"auth.jwt_secret: {error}.", EXIT_CONFIG) from error


def check_secret(config: Config) -> None:
    """Refuse a configuration whose tokens strangers could sign. Raises StartFailedError."""
    if config.auth.jwt_secret:
        make_verifier(config, config.auth.jwt_secret)
    elif not is_loopback(config.server.host):
        raise _open_to_others(config.server.host)


def check_reach(config: Config, listeners: Sequence[socket.socket]) -> None:
    """The same for what a host turned out to be: a name may stand for any address. Raises
    StartFailedError, and closes the listeners then."""
    if config.auth.jwt_secret:
        return
    for listener in listeners:
        if listener.family == socket.AF_UNIX:
            continue
        address = str(listener.getsockname()[0])
        if not is_loopback(address):
            for opened in listeners:
                opened.close()
            raise _open_to_others(f"{config.server.host} ({address})")


def _open_to_others(where: str) -> StartFailedError:
    return StartFailedError(
        f"On {where} chatd is open to others: set auth.jwt_secret "
        "(or CHATD_AUTH__JWT_SECRET) to your project's secret, or listen on 127.0.0.1.",
        EXIT_CONFIG,
    )


def secret_for(config: Config, state_dir: Path) -> str:
    """The secret that tokens are signed with: the configured one, or one generated for this host.

    Raises StartFailedError where there is none that may be used.
    """
    secret = known_secret(config, state_dir)
    if secret is not None:
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
    """The same where there is one already, else None; nothing is written.

    Raises StartFailedError where it may not be used, or not be read.
    """
    check_secret(config)
    if config.auth.jwt_secret:
        return config.auth.jwt_secret
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
    make_verifier(config, secret)
    return secret


def usual_rooms(config: Config) -> tuple[str, ...]:
    """What a token grants where nobody names rooms: those that have a database, the first ones of
    them, or that of the sample."""
    return tuple(config.databases)[:USUAL_ROOMS_MAX] or (DEMO_ROOM,)


def mint_token(
    config: Config,
    secret: str,
    user_id: str,
    rooms: Sequence[str],
    name: str | None,
    ttl_s: int,
    now_s: float,
) -> str:
    """A token that this daemon takes. Raises ValueError, with a sentence, for what it would not."""
    return mint(
        secret,
        user_id=user_id,
        rooms=rooms,
        name=name,
        ttl_s=ttl_s,
        now_s=now_s,
        audience=config.auth.audience,
        issuer=config.auth.issuer,
        claim=config.directory.claim,
    )


def _unusable(error: ValueError) -> StartFailedError:
    text = str(error)
    return StartFailedError(f"{text[:1].upper()}{text[1:]}.", EXIT_CONFIG)
