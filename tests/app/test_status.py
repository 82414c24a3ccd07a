"""What the daemon knows to be amiss, and how it tells."""

import threading
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.actors.pulse import SILENT_S, Pulse
from chatd.app.condition_watch import ConditionWatch
from chatd.app.disk_space import DiskSpace, Found
from chatd.app.status import SilentActors, life_conditions
from chatd.observe import ConditionBegan, ConditionEnded, conditions
from chatd.observe.conditions import KINDS, Reason
from chatd.observe.recorder import Recorder
from tests.rows import rows
from tests.service.chats import open_chat

DRAINING = Reason(conditions.DRAINING, "The daemon is about to end.")
COMING = Reason(conditions.DB_STARTING, "It is being started.", "stock")
AWAY = Reason(conditions.DB_UNAVAILABLE, "It cannot be asked.", "sales")
FULL = Reason(conditions.STORAGE_ERROR, "The disk took nothing.")


async def test_every_condition_of_the_document_is_looked_at_and_no_other(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        kinds = chat.parts.health.status.conditions.kinds
        assert set(kinds) == set(KINDS)
        assert len(kinds) == len(KINDS)


async def test_what_a_person_is_called_for_makes_the_public_health_degraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_chat(tmp_path) as chat:
        status = chat.parts.health.status
        status.is_open = True
        for kind in KINDS:
            reasons = [Reason(kind, "a sentence")]
            monkeypatch.setattr(status.conditions, "reasons", lambda now=reasons: now)
            assert status.health().status == ("degraded" if kind.is_public else "ok")
        status.is_draining = True
        assert status.health().status == "draining"


async def test_a_disk_with_too_little_room_is_said_before_it_is_full(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        status, disk = chat.parts.health.status, chat.parts.storage.disk
        status.is_open = True
        await disk.look()
        found = disk.last
        assert found is not None
        assert 0 < found.free <= found.size
        assert found.files["log"] == chat.store.path.stat().st_size
        disk.last = Found(100 << 20, 1 << 40, {})
        [reason] = status.reasons()
        assert reason.code == "disk_low"
        assert "100 MiB are free" in reason.message
        assert "256 MiB" in reason.message
        assert status.health().status == "degraded"
        disk.last = Found(256 << 20, 1 << 40, {})
        assert status.reasons() == []


async def test_any_room_is_enough_where_nobody_wants_to_know(tmp_path: Path) -> None:
    disk = DiskSpace(tmp_path / "log.sqlite3", 0)
    disk.last = Found(0, 1, {})
    assert disk.why_low() is None


async def test_a_disk_that_is_away_or_hangs_is_not_known_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = DiskSpace(tmp_path / "away" / "log.sqlite3", 1)
    disk.last = Found(0, 1, {})
    await disk.look()
    assert disk.last is disk.why_low() is None
    never = threading.Event()
    monkeypatch.setattr("os.statvfs", lambda _path: never.wait(60))
    with trio.move_on_after(0.01) as scope:
        await disk.run()
    assert scope.cancelled_caught
    never.set()


def test_the_actors_that_do_not_answer_are_named(mock_clock: MockClock) -> None:
    async def look() -> None:
        pulses = {"messages": Pulse(), "typing": Pulse()}
        actors = SilentActors(pulses)
        pulses["messages"].begin(trio.current_time())
        assert actors.names() == []
        mock_clock.jump(SILENT_S)
        assert actors.names() == ["messages"]
        [reason] = actors.reasons()
        assert reason.kind is conditions.ACTOR_SILENT
        assert "messages" in reason.message
        pulses["messages"].end()
        assert actors.names() == []

    trio.run(look, clock=mock_clock)


async def test_a_hanging_commit_makes_the_actor_of_messages_silent(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        chat.log.held = trio.Event()
        await ada.ask(
            "chat:message",
            {"messageId": "2f1f6a56-7a4b-4d8e-9a8e-0a1b2c3d4e5f", "content": "hi"}
            | {"connectionId": "sales"},
        )
        await wait_all_tasks_blocked()
        pulse = chat.parts.health.pulses["messages"]
        assert pulse.is_silent(trio.current_time() + SILENT_S)
        chat.log.held.set()
        await ada.until("chat:message:sent")
        await wait_all_tasks_blocked()
        assert not pulse.is_silent(trio.current_time() + SILENT_S)


def test_the_log_tells_once_when_something_is_amiss_and_when_it_is_over() -> None:
    recorder = Recorder()
    now: list[Reason] = []
    watch = ConditionWatch(lambda: now, recorder)
    watch.look(0.0)
    now = [DRAINING, COMING]  # which a start and an end have anyway
    watch.look(1.0)
    assert recorder.events == []
    now = [FULL, AWAY]
    for second in (2.0, 3.0):
        watch.look(second)
    now = [AWAY]
    watch.look(6.5)
    assert recorder.events == [
        ConditionBegan("storage_error", None, "The disk took nothing."),
        ConditionBegan("db_unavailable", "sales", "It cannot be asked."),
        ConditionEnded("storage_error", None, 4.5),
    ]


@attrs.define
class Life:
    """What is known of the life of a node."""

    clock_off_s: float = 0.0
    why_lost: str | None = None


@rows(
    ("off_s", "says"),
    [
        pytest.param(0.2, None, id="well"),
        pytest.param(-4.9, None, id="hardly noticed"),
        pytest.param(30.4, "is 30 s ahead of that of the database", id="ahead"),
        pytest.param(-29.6, "is 30 s behind that of the database", id="behind"),
    ],
)
def test_a_clock_that_is_off_is_told_with_its_seconds(off_s: float, says: str | None) -> None:
    [lost, off] = life_conditions(Life(off_s))  # type: ignore[arg-type]
    assert list(lost.reasons()) == []
    told = [reason.message for reason in off.reasons()]
    assert len(told) == (says is not None)
    assert says is None or says in told[0]
