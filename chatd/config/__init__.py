"""What can be set, what is set, and where that came from."""

from chatd.config.api_tokens import RIGHTS as RIGHTS
from chatd.config.changes import (
    changed as changed,
    is_reloaded as is_reloaded,
    reloaded as reloaded,
)
from chatd.config.errors import (
    ConfigError as ConfigError,
    InvalidValue as InvalidValue,
)
from chatd.config.examined import Loaded as Loaded
from chatd.config.explained import UnknownKeyError as UnknownKeyError, explained as explained
from chatd.config.load import (
    examine as examine,
    load as load,
)
from chatd.config.outside import missing as missing
from chatd.config.paths import (
    PLACES as PLACES,
    shown_path as shown_path,
    state_directory as state_directory,
)
from chatd.config.reading import DEFAULT as DEFAULT
from chatd.config.sections import (
    DEMO_ROOM as DEMO_ROOM,
    AnswersConfig as AnswersConfig,
    ApiConfig as ApiConfig,
    AuthConfig as AuthConfig,
    Config as Config,
    DirectoryConfig as DirectoryConfig,
    LimitsConfig as LimitsConfig,
    LogConfig as LogConfig,
    MessagesConfig as MessagesConfig,
    ServerConfig as ServerConfig,
    StateConfig as StateConfig,
)
from chatd.config.show import (
    api_token_table as api_token_table,
    explain as explain,
    sample as sample,
)
