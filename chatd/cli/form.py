"""Whether this installation runs the modules that each message passes as plain Python, or compiled.

`CHATD_COMPILE=1` at the installation decides it (`docs/operations`, "Compiled").
"""

from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from typing import Final

ONE_OF_THEM: Final = "chatd.websocket.frames"
"""All of them are compiled, or none is."""


def is_compiled(module: str = ONE_OF_THEM) -> bool:
    """Whether the module is an extension; nothing is imported for it but its package."""
    spec = find_spec(module)
    origin = None if spec is None else spec.origin
    return origin is not None and origin.endswith(tuple(EXTENSION_SUFFIXES))
