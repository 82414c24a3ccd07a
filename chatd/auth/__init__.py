"""Who somebody is, and which rooms they may use: tokens, keys, directories (SPEC 2).

Synchronous, with the time as an argument; it knows no configuration, transport, log or clock.
Nothing here writes or repeats a token or a secret.
"""

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
    "ClaimDirectory",
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
