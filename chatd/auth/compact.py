"""The compact form of a token (RFC 7515, 7.1), read strictly: no two texts are the same token."""

from binascii import a2b_base64, b2a_base64
from typing import Any

import attrs

from chatd.auth.refusals import invalid
from chatd.auth.strict_json import strict_object

_FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@attrs.frozen
class CompactToken:
    """A token in compact form, taken apart. The payload is bytes until the signature holds."""

    header: dict[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes


def read_compact(token: str, max_bytes: int) -> CompactToken:
    """Take a token apart. Raises TokenRefused."""
    if len(token) > max_bytes:  # what is not ASCII is refused next
        raise invalid(f"The token is longer than {max_bytes} bytes.")
    try:
        signing_input, signature_segment = token.encode("ascii").rsplit(b".", 1)
        header_segment, payload_segment = signing_input.split(b".")
        payload = _base64url(payload_segment)
        signature = _base64url(signature_segment)
        header_text = _base64url(header_segment)
    except ValueError:  # from any step above; its text may hold the token
        sentence = "The token is not a JWT: three parts with dots between them. Copy all of it."
        raise invalid(sentence) from None
    try:
        header = strict_object(header_text)
    except ValueError:
        raise invalid("The token's header is not a JSON object.") from None
    return CompactToken(header, payload, signing_input, signature)


def _base64url(segment: bytes) -> bytes:
    """The bytes of one segment, in the only form that RFC 7515 gives them, else ValueError.

    The decoder ignores foreign characters, padding and stray last bits. Encoding again and
    comparing refuses all of them at once, so that no two texts are the same token.
    """
    decoded = a2b_base64(segment.translate(_FROM_URL_SAFE) + b"==")
    if b2a_base64(decoded, newline=False).rstrip(b"=").translate(_TO_URL_SAFE) != segment:
        raise ValueError("not canonical base64url")
    return decoded
