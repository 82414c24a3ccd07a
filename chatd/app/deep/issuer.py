"""The key set of the issuer of tokens: whether it can be read, and what is in it."""

from chatd.app.deep.check import Found, Surroundings, doubtful, fine, wrong
from chatd.app.secret import key_set_place
from chatd.auth import FetchFailed, fetch_from
from chatd.auth.key_set import KeySetInvalid, read_key_set
from chatd.config import Config
from chatd.counts import counted


async def look_at_key_set(surroundings: Surroundings) -> Found | None:
    """Read it as the daemon does. A daemon starts without it, but accepts no token of the
    issuer."""
    place = key_set_place(surroundings.config)
    if place is None:
        return None
    try:
        key_set = read_key_set(await fetch_from(place, surroundings.cwd)())
    except (FetchFailed, KeySetInvalid) as error:
        return wrong(f"The key set {place} {error}: correct auth.jwks, or see to its server.")
    if not key_set.keys:
        return _empty(surroundings.config, f"The key set {place} has no key that can be used")
    has = f"The key set {place} has {counted(len(key_set.keys), 'key')} that can be used"
    if key_set.passed_over:
        return doubtful(f"{has}; but {key_set.passed_over[0]}.")
    return fine(f"{has}.")


def _empty(config: Config, what: str) -> Found:
    """A project that signs with its legacy secret has an empty set."""
    if config.auth.jwt_secret:
        return fine(f"{what}; tokens that auth.jwt_secret signs are taken.")
    return wrong(
        f"{what}: give a project that signs with its legacy secret that secret (auth.jwt_secret), "
        "or rotate its signing keys."
    )
