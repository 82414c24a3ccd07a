"""A run: people chat, faults befall the cluster, all comes to rest, and what was seen is a case."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

from tests.app.client import Client, token_for
from tests.cluster.deeds import Habits
from tests.cluster.histories import Acked, Case, Live, Presence, Row, Typing
from tests.cluster.nodes import SECRET, Cluster
from tests.cluster.observers import PREFIX, Observer, markers, typed
from tests.cluster.people import Person

ROOMS: Final = ("red", "green", "blue")
HABITS: Final = {
    "sender": Habits(),
    "mover": Habits(moves=0.08),
    "asker": Habits(asks=0.08),
    "roamer": Habits(pause_s=0.7, leaves=0.06),
}
EACH: Final = 2  # persons of each kind
REST_S: Final = 90.0
"""Seconds in which all comes to rest after the last fault; what has not is for the verdict."""
PRESENCE_S: Final = 15.0  # after the last fault, views of who is there are equal
ANSWERS_S: Final = 30.0  # the longest that a question runs, with what a fault adds
TYPING_ROUNDS: Final = 3
CRASHES: Final = ("actor.crashed", "internal.error")
TYPIST: Final = f"{PREFIX}typist"


@attrs.frozen
class Run:
    """A case, and what is told of it beside the verdict."""

    case: Case
    people: Sequence[Person]

    def told(self) -> str:
        notes = [note for person in self.people for note in person.notes]
        refused = sum((person.refusals for person in self.people), Counter())
        stored = sum(map(len, self.case.log.values()))
        return (
            f"stored {stored}, acknowledged {sum(isinstance(note, Acked) for note in notes)}, "
            f"deliveries {sum(isinstance(note, Live) for note in notes)}, "
            f"tried again after {dict(refused)}"
        )


def pairs(first: int) -> list[Sequence[str]]:
    """The rooms of one person of each kind; askers ask in the first room, which has a database."""
    of_askers = (ROOMS[0], ROOMS[1 + first % 2])
    return [(ROOMS[first % 2], ROOMS[2]), (ROOMS[0], ROOMS[1]), of_askers, ROOMS[first % 2 :][:2]]


@asynccontextmanager
async def people_of(cluster: Cluster, seed: int, began_s: float) -> AsyncIterator[list[Person]]:
    """Everybody, chatting from now on, each in two of the rooms."""
    people = [
        Person.new(f"{kind}{number}", rooms, cluster.proxy_port, habits, seed, began_s)
        for number in range(EACH)
        for (kind, habits), rooms in zip(HABITS.items(), pairs(number), strict=True)
    ]
    async with trio.open_nursery() as nursery:
        for person in people:
            nursery.start_soon(person.live)
        yield people
        nursery.cancel_scope.cancel()


async def run(
    cluster: Cluster,
    seed: int,
    faults: Callable[[Sequence[Person]], Awaitable[None]],
    **how: bool,
) -> Run:
    """Chat while `faults` last; then come to rest, and look at everything."""
    began_s = trio.current_time()
    async with people_of(cluster, seed, began_s) as people, trio.open_nursery() as nursery:
        await faults(people)
        over_s = trio.current_time()
        for person in people:
            person.settle()
        with trio.move_on_after(REST_S):
            for person in people:
                await person.settled()
        for node in cluster.nodes:
            node.runs()
        auditors = [await Observer.at(node, ROOMS, nursery) for node in cluster.nodes]
        with trio.move_on_after(ANSWERS_S):
            await all_answered(auditors[0], people)
        logs = {auditor.node: await auditor.log() for auditor in auditors}
        with trio.move_on_after(REST_S):
            await all_arrived(people, logs[auditors[0].node])
        case = Case(
            notes={person.user: list(person.notes) for person in people},
            logs=logs,
            epoch=auditors[0].client.said("connection:status")[0]["epoch"],
            **how,
        )
        for auditor in auditors:
            await auditor.client.close()
        await trio.sleep_until(over_s + PRESENCE_S)  # what is asked is how it is by then
        presences, typings = await signals_of(cluster, nursery)
        found = attrs.evolve(
            case,
            presences=presences,
            present={
                room: frozenset(person.user for person in people if room in person.rooms)
                for room in ROOMS
            },
            typings=typings,
            crashes=crashes_of(cluster),
            markers=await markers(
                cluster, {person.user: person.rooms for person in people}, nursery
            ),
        )
        nursery.cancel_scope.cancel()
    return Run(found, people)


def crashes_of(cluster: Cluster) -> list[str]:
    """What nodes say of their own mistakes, over all of their lives."""
    return [
        f"{node.name}: {line['event']} {line.get('where') or line.get('actor')}: "
        f"{line['error_type']}, {line['timestamp']}"
        for node in cluster.nodes
        for line in node.events("error", "critical")
        if line["event"] in CRASHES
    ]


async def all_answered(auditor: Observer, people: Sequence[Person]) -> None:
    """Return when the log of a node has an end for each question."""
    asked = {
        note.message_id
        for person in people
        for note in person.notes
        if isinstance(note, Acked) and note.is_question
    }
    rows = (await auditor.log())[ROOMS[0]]
    for question_id in asked - {row.reply_to for row in rows}:
        await auditor.client.hear("chat:message", ANSWERS_S, replyTo=question_id)


async def all_arrived(people: Sequence[Person], log: Mapping[str, Sequence[Row]]) -> None:
    """Return when everybody has each message, and each change, of their rooms."""
    for person in people:
        for room in person.rooms:
            last_rev = max((row.rev for row in log[room]), default=0)
            await person.has(room, len(log[room]), last_rev)


async def signals_of(
    cluster: Cluster, nursery: trio.Nursery
) -> tuple[list[Presence], list[Typing]]:
    """What newcomers at each node are shown, and when each shows that somebody types."""
    observers = [await Observer.at(node, ROOMS, nursery) for node in cluster.nodes]
    typings = []
    for number in range(TYPING_ROUNDS):
        user, node = f"{TYPIST}{number}", cluster.nodes[number % len(cluster.nodes)]
        token = token_for(SECRET, user, ROOMS)
        typist = await Client.connect(nursery, node.port, token)
        await typist.caught_up(ROOMS)
        typings.append(await typed(observers, typist, user, ROOMS[0]))
        await typist.close()
    presences = [view for observer in observers for view in observer.presences()]
    for observer in observers:
        await observer.client.close()
    return presences, typings
