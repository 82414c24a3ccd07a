"""How the machine of the messages begins with what the log holds: at a start, and when its actor is
started again."""

from chatd.chat.message_machine import MessageMachine
from chatd.store.recovery import Recovered


def take_up(machine: MessageMachine, recovered: Recovered) -> None:
    """Forget everything, and begin with this."""
    machine.restore(
        recovered.rooms,
        recovered.members,
        recovered.position,
        recovered.open_answers,
        recovered.revs,
        recovered.read_seqs,
        recovered.names,
        recovered.shares,
        recovered.node,
    )
