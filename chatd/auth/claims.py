"""What the claims of a token say, once its signature holds (RFC 7519, 4.1): whom it is for, whom it
speaks for, and from when until when."""

from typing import Any, Final

from chatd.auth.display import display_text
from chatd.auth.refusals import TokenRefused, invalid, named
from chatd.wire.codes import Code
from chatd.wire.identifiers import USER_ID_RULE, is_user_id

LATEST_DATE_S: Final = 253_402_300_799
"""Seconds since the epoch, the end of the year 9999: a later date is refused as garbage, and every
accepted one is exact in milliseconds in a client's double."""


def user_id_of(claims: dict[str, Any], audience: str, issuer: str) -> str:
    """The user (`sub`) of a token that is for `audience` and from `issuer` ("" for any). Raises
    TokenRefused."""
    named_audience = claims.get("aud")
    if isinstance(named_audience, list):
        if audience not in named_audience or not all(
            isinstance(one, str) for one in named_audience
        ):
            raise invalid("The token is for another audience.", _other_audience(claims, audience))
    elif named_audience != audience:
        raise invalid(
            "The token is for another audience, or names none.", _other_audience(claims, audience)
        )
    if issuer and claims.get("iss") != issuer:
        raise invalid(
            "The token is from another issuer, or names none.",
            f"The token's issuer (iss) is {named(claims.get('iss'))}; auth.issuer is "
            f"{named(issuer)}.",
        )
    user_id = claims.get("sub")
    if not is_user_id(user_id):
        what = "missing" if user_id is None else "not a user id"
        raise invalid(f"The token's sub is {what}: {USER_ID_RULE}.")
    return str(user_id)


def expiry_of(claims: dict[str, Any], now_s: float, leeway_s: float) -> float:
    """When a token that is valid at `now_s` expires (`exp`), in seconds since the epoch. Raises
    TokenRefused."""
    issued_s = _date_s(claims, "iat")
    if issued_s > now_s + leeway_s:
        raise invalid(
            "The token was issued in the future: a clock is wrong.",
            f"The token was issued {issued_s - now_s:.0f} s in the future (iat): a clock is wrong.",
        )
    valid_from_s = _date_s(claims, "nbf") if "nbf" in claims else 0
    if valid_from_s > now_s + leeway_s:
        raise invalid(
            "The token is not valid yet.",
            f"The token is not valid for another {valid_from_s - now_s:.0f} s (nbf).",
        )
    expires_s = _date_s(claims, "exp")
    if expires_s <= now_s - leeway_s:
        raise TokenRefused(
            Code.TOKEN_EXPIRED,
            "The token has expired: get a new one.",
            f"The token expired {now_s - expires_s:.0f} s ago (exp).",
        )
    return expires_s


def display_name(claims: dict[str, Any]) -> str | None:
    """The name that others are shown; None if the token has none."""
    profile = claims.get("user_metadata")
    if isinstance(profile, dict):
        for key in ("full_name", "name"):
            name = display_text(profile.get(key))
            if name is not None:
                return name
    email = claims.get("email")
    if isinstance(email, str) and "@" in email:
        return display_text(email.partition("@")[0])
    return None


def _other_audience(claims: dict[str, Any], audience: str) -> str:
    return (
        f"The token's audience (aud) is {named(claims.get('aud'))}; auth.audience is "
        f"{named(audience)}."
    )


def _date_s(claims: dict[str, Any], claim: str) -> float:
    """A NumericDate: a JSON number of seconds. Strings, booleans and absurd dates are refused."""
    value = claims.get(claim)
    # bool is an int to isinstance; orjson makes integers beyond 64 bits floats
    if type(value) is not int and type(value) is not float:
        raise invalid(f"The token's {claim} is missing or not a number.")
    if not 0 <= value <= LATEST_DATE_S:
        raise invalid(f"The token's {claim} is not a date.")
    return value
