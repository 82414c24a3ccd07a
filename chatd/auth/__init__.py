"""Who a user is, and which rooms the user may use: tokens, keys, directories.

It takes the time as an argument, and knows no configuration, transport, log or clock. Nothing here
writes or repeats a token or a secret.
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
from chatd.auth.keyfile import (
    load_or_create_secret as load_or_create_secret,
    load_secret as load_secret,
)
from chatd.auth.mint import mint as mint
from chatd.auth.tokens import (
    Identity as Identity,
    TokenRefused as TokenRefused,
    Verifier as Verifier,
)
