"""Whether the modules that each message passes through run compiled, or as plain Python.

`CHATD_COMPILE=1` during the installation decides that (`docs/operations`, "Compiled").
"""

from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from typing import Final

ONE_OF_THEM: Final = "chatd.websocket.frames"
"""One of these modules: all of them are compiled, or none is."""


def is_compiled(module: str = ONE_OF_THEM) -> bool:
    """Whether the module is an extension; only its package is imported to find out."""
    spec = find_spec(module)
    origin = None if spec is None else spec.origin
    return origin is not None and origin.endswith(tuple(EXTENSION_SUFFIXES))
