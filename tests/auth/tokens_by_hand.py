"""Tokens that no honest issuer makes: any header, any payload, signed with whatever is asked."""

import base64
import hashlib
import hmac
import json
from typing import Any

SECRET = "a secret for the tests, of more than 32 bytes"
NOW_S = 1_790_000_000.0
USER = "3f1c9a52-0a4b-4f0c-9a2e-0f7c1c9d1b11"

HEADER: dict[str, Any] = {"alg": "HS256", "typ": "JWT"}


def good_claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token at `NOW_S`, with `changes`; a change to `...` leaves one out."""
    claims = {
        "sub": USER,
        "aud": "authenticated",
        "iss": "https://project.example/auth/v1",
        "role": "authenticated",
        "iat": int(NOW_S) - 10,
        "exp": int(NOW_S) + 3600,
        "email": "ada@example.org",
        "user_metadata": {"full_name": "Ada Lovelace"},
    } | changes
    return {name: value for name, value in claims.items() if value is not ...}


def segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(header: bytes, payload: bytes, secret: str = SECRET) -> str:
    signing_input = f"{segment(header)}.{segment(payload)}"
    signature = hmac.new(secret.encode(), signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{segment(signature)}"


def token(claims: object, header: object = HEADER, secret: str = SECRET) -> str:
    return signed(json.dumps(header).encode(), json.dumps(claims).encode(), secret)
