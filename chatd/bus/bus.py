"""The port to the other nodes."""

from typing import Protocol


class Listener(Protocol):
    """Hears what a bus carries, one payload after another: what the listener publishes meanwhile
    comes back to it once it is done. Neither method waits."""

    def heard(self, topic: str, payload: bytes) -> None:
        """A payload came on a subscribed topic; this node's own payloads come back too. The bytes
        may be anything: anybody who may use the bus can send them."""
        ...

    def came_up(self) -> None:
        """The bus is up, now or again: what was published before may have been missed."""
        ...


class Bus(Protocol):
    """Carries payloads from each node to all nodes that subscribe to their topic.

    A payload may get lost, come twice, late, or after one that was published later. A topic is 1 to
    `TOPIC_BYTES_MAX` bytes of printable ASCII; a payload is UTF-8 without characters below the
    space, of at most `payload_bytes_max` bytes.
    """

    @property
    def payload_bytes_max(self) -> int:
        """The longest payload in bytes."""
        ...

    @property
    def carries_messages(self) -> bool:
        """Whether messages should travel whole. If not, a head says that there are some, and each
        node reads them from the log."""
        ...

    @property
    def is_up(self) -> bool:
        """Whether what is published is on its way to the nodes that are up."""
        ...

    @property
    def why_down(self) -> str | None:
        """A sentence for the operator, without a secret; None if the bus is up, or was never
        tried."""
        ...

    def publish(self, topic: str, payload: bytes, latest_of: str | None = None) -> bool:
        """Offer a payload; False if it is dropped, because nobody can be reached now or too much
        waits.

        While it waits, another one of the same topic and `latest_of` replaces it.
        """
        ...

    async def subscribe(self, topic: str) -> bool:
        """Hear a topic from now on. True: all that is published after this returns is heard, unless
        it gets lost. False: the bus is down; the topic is heard once `came_up` was called. A caller
        that is cancelled while this waits has subscribed all the same."""
        ...

    def unsubscribe(self, topic: str) -> None:
        """Stop hearing a topic."""
        ...

    async def run(self, listener: Listener) -> None:
        """Keep up the bus, and connect again whenever it is down, until cancelled."""
        ...


TOPIC_BYTES_MAX = 160
"""Bytes of a topic: a room's id has at most 128 characters, and a word comes before it."""
