"""A user's sockets on another node, as the machines of this one know them: as one socket."""

import attrs


@attrs.frozen
class Elsewhere:
    """Stands for all sockets of a user on the node of this name."""

    node: str
    user_id: str
