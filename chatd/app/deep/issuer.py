"""The key set of the issuer of tokens: whether it can be read, and what is in it."""

from chatd.app.deep.check import Found, Surroundings, doubtful, fine, wrong
from chatd.app.secret import key_set_place
from chatd.auth import FetchFailed, fetch_from
from chatd.auth.key_set import KeySetInvalid, read_key_set


async def look_at_key_set(surroundings: Surroundings) -> Found | None:
    """Read it as the daemon does. A daemon starts without it, and takes no token of the issuer."""
    place = key_set_place(surroundings.config)
    if place is None:
        return None
    try:
        key_set = read_key_set(await fetch_from(place, surroundings.cwd)())
    except (FetchFailed, KeySetInvalid) as error:
        return wrong(f"The key set {place} {error}: correct auth.jwks, or see to its server.")
    if not key_set.keys:
        return wrong(f"The key set {place} has no key that can be used.")
    has = f"The key set {place} has {len(key_set.keys)} that can be used"
    if key_set.passed_over:
        return doubtful(f"{has}; but {key_set.passed_over[0]}.")
    return fine(f"{has}.")
