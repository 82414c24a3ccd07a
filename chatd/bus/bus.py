"""The port to the other nodes."""

from typing import Protocol


class Listener(Protocol):
    """Who hears what a bus carries, one payload after another: what it publishes meanwhile comes
    back to it once it is done. Neither method waits."""

    def heard(self, topic: str, payload: bytes) -> None:
        """A payload on a topic that is subscribed to; those of this node come back to it too. The
        bytes are whatever somebody sent who may use the bus."""
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
        """Whether messages should travel whole. Where not, a head says that there are some, and
        each node reads them from the log."""
        ...

    @property
    def is_up(self) -> bool:
        """Whether what is published is on its way to the nodes that are up."""
        ...

    @property
    def why_down(self) -> str | None:
        """A sentence for the operator, without a secret; None where the bus is up, or was never
        tried."""
        ...

    def publish(self, topic: str, payload: bytes, latest_of: str | None = None) -> bool:
        """Offer a payload; False where it is dropped, as nobody is reached now or too much waits.

        While it waits, another one of the same topic and `latest_of` replaces it.
        """
        ...

    async def subscribe(self, topic: str) -> bool:
        """Hear a topic from now on. True: all that is published after this returns is heard, unless
        it gets lost. False: the bus is down; the topic is heard once `came_up` was called. Whoever
        is cancelled while this waits has subscribed."""
        ...

    def unsubscribe(self, topic: str) -> None:
        """Hear a topic no more."""
        ...

    async def run(self, listener: Listener) -> None:
        """Keep up the bus, and connect again whenever it is down, until cancelled."""
        ...


TOPIC_BYTES_MAX = 160
"""Of a topic: a room's id has 128 characters at most, and a word stands before it."""
