"""Who a user is, and which rooms the user may use: tokens, keys, directories.

It takes the time as an argument, and knows no configuration, transport, log or clock. Nothing here
writes or repeats a token or a secret.
"""

from chatd.auth.authenticator import Admitted, Authenticator, Credentials
from chatd.auth.backoff import FailureBackoff
from chatd.auth.candidates import pick_token
from chatd.auth.directory import (
    ClaimDirectory,
    Directory,
    DirectoryFailed,
    FileDirectory,
    FileEntry,
    Grant,
)
from chatd.auth.keyfile import load_or_create_secret, load_secret
from chatd.auth.mint import mint
from chatd.auth.tokens import Identity, TokenRefused, Verifier

__all__ = [
    "Admitted",
    "Authenticator",
    "ClaimDirectory",
    "Credentials",
    "Directory",
    "DirectoryFailed",
    "FailureBackoff",
    "FileDirectory",
    "FileEntry",
    "Grant",
    "Identity",
    "TokenRefused",
    "Verifier",
    "load_or_create_secret",
    "load_secret",
    "mint",
    "pick_token",
]
