"""All checks of `chatd config check --deep`, in the order in which they are asked."""

from typing import Final

from chatd.app.deep.bus import look_at_bus
from chatd.app.deep.check import DeepCheck, in_thread
from chatd.app.deep.clock import look_at_clock
from chatd.app.deep.directory import look_at_directory
from chatd.app.deep.issuer import look_at_key_set
from chatd.app.deep.state import (
    look_at_disk,
    look_at_exports,
    look_at_owner,
    look_at_space,
    look_at_writing,
)

CHECKS: Final = (
    DeepCheck("state.owner", in_thread(look_at_owner)),
    DeepCheck("state.disk", in_thread(look_at_disk)),
    DeepCheck("state.space", in_thread(look_at_space)),
    DeepCheck("state.writing", in_thread(look_at_writing)),
    DeepCheck("exports.space", in_thread(look_at_exports)),
    DeepCheck("auth.key_set", look_at_key_set),
    DeepCheck("directory", look_at_directory),
    DeepCheck("bus", look_at_bus),
    DeepCheck("clock", in_thread(look_at_clock)),
)
