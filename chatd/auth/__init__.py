"""Who a user is, and which rooms the user may use: tokens, keys, directories.

The code that judges a token takes the time as an argument. Only the code that keeps an issuer's key
set fresh waits and reads (`key_source`, `key_fetch`). The package knows no configuration, transport
or log, and never writes or repeats a token or a secret.
"""

from chatd.auth.authenticator import (
    Admitted as Admitted,
    Authenticator as Authenticator,
    Credentials as Credentials,
)
from chatd.auth.backoff import FailureBackoff as FailureBackoff
from chatd.auth.bots import (
    BOT_TOKEN_PREFIX as BOT_TOKEN_PREFIX,
    Bot as Bot,
    Bots as Bots,
    bot_digest as bot_digest,
    make_bot_token as make_bot_token,
)
from chatd.auth.cached_directory import CachedDirectory as CachedDirectory
from chatd.auth.callers import Caller as Caller
from chatd.auth.candidates import pick_token as pick_token
from chatd.auth.directories import (
    ClaimDirectory as ClaimDirectory,
    FileConnection as FileConnection,
    FileDirectory as FileDirectory,
)
from chatd.auth.directory import (
    Directory as Directory,
    DirectoryFailed as DirectoryFailed,
    DirectoryStatus as DirectoryStatus,
    Grant as Grant,
)
from chatd.auth.key_fetch import fetch_from as fetch_from
from chatd.auth.key_set import KeySet as KeySet
from chatd.auth.key_source import (
    FetchFailed as FetchFailed,
    KeySetStatus as KeySetStatus,
    KeysUnavailable as KeysUnavailable,
    KeySource as KeySource,
)
from chatd.auth.keyfile import (
    load_or_create_secret as load_or_create_secret,
    load_secret as load_secret,
)
from chatd.auth.keyring import KeyRing as KeyRing
from chatd.auth.keys import (
    FormerSecret as FormerSecret,
    bound_secret as bound_secret,
)
from chatd.auth.mint import mint as mint
from chatd.auth.pasted import token_in as token_in
from chatd.auth.revocations import (
    Revocations as Revocations,
    RevocationsUnreadable as RevocationsUnreadable,
    read_revocations as read_revocations,
)
from chatd.auth.refusals import (
    KeyUnknown as KeyUnknown,
    TokenRefused as TokenRefused,
)
from chatd.auth.tokens import (
    Identity as Identity,
    Verifier as Verifier,
)
