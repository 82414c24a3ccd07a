"""The actor of messages: what it knows, the ledger that it writes, and the way to it."""

from typing import Final

import attrs
import trio

from chatd.actors.ledger import Ledger
from chatd.actors.mailbox import Mailbox
from chatd.actors.shared_ledger import SharedLedger
from chatd.actors.taking_up import take_up
from chatd.app.fan_out import FanOut
from chatd.app.logs import ledger_of, members_of
from chatd.app.parts.common import MAILBOX_CAPACITY
from chatd.app.parts.publishing import Publishing
from chatd.app.parts.storage import Storage
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import Command
from chatd.service.audit_trail import AuditTrail
from chatd.service.commands import Commands
from chatd.service.machine_membership import MachineMembership
from chatd.service.machine_readings import MachineReadings
from chatd.service.shared_membership import SharedMembership

MEMBERS_WRITTEN: Final = "members"
"""The kind of the signal that a node has written members: the others look at the log."""


@attrs.frozen(eq=False)
class Messages:
    """`machine` decides, `ledger` has the log keep it. Others send `commands`, which wait in
    `mailbox`, and look at `membership` and `readings`."""

    machine: MessageMachine
    ledger: Ledger
    membership: MachineMembership
    readings: MachineReadings
    mailbox: Mailbox[Command]
    commands: Commands
    trail: AuditTrail
    acted: trio.Event = attrs.field(factory=trio.Event, init=False)
    """The actor has ended by itself."""


def build_messages(storage: Storage, publishing: Publishing) -> Messages:
    machine = MessageMachine({}, {})
    take_up(machine, storage.store.recovered)
    ledger = ledger_of(storage.store, machine, storage.log)
    if publishing.fan_out is None:
        membership = MachineMembership(machine)
    else:
        membership = _shared_membership(machine, ledger, storage, publishing, publishing.fan_out)
    mailbox: Mailbox[Command] = Mailbox(MAILBOX_CAPACITY)
    commands = Commands(mailbox)
    return Messages(
        machine,
        ledger,
        membership,
        MachineReadings(machine, storage.store.readers),
        mailbox,
        commands,
        AuditTrail(commands),
    )


def _shared_membership(
    machine: MessageMachine,
    ledger: Ledger,
    storage: Storage,
    publishing: Publishing,
    fan_out: FanOut,
) -> SharedMembership:
    """The members of a log that is shared are learnt of other nodes."""
    publisher, signals = fan_out.publisher, fan_out.signals
    assert isinstance(ledger, SharedLedger)
    publisher.learnt = ledger.hear
    members, mark = members_of(storage.store)
    note_heads = publishing.timelines.note_heads
    membership = SharedMembership(machine, members, ledger, publisher.is_held, note_heads, mark)
    ledger.wrote_members = lambda: signals.send_all(MEMBERS_WRITTEN, (), latest_of=MEMBERS_WRITTEN)
    signals.on(MEMBERS_WRITTEN, lambda *_: membership.hint())
    return membership
