"""Revocations: which tokens they refuse, and that the file keeps them, whole or as it was."""

import errno
import math
import os
from pathlib import Path

import pytest

from chatd.auth import Identity, Revocations, RevocationsUnreadable, TokenRefused, read_revocations
from chatd.auth import revocations as module
from chatd.auth.revocations import REVOCATIONS_NAME
from tests.rows import rows

MOMENT_S = 1_790_000_000.5


def identity(user_id: str = "ada", issued_at_s: float = MOMENT_S) -> Identity:
    return Identity(user_id, None, 2_000_000_000_000, {"iat": issued_at_s})


def is_refused(revocations: Revocations, given: Identity) -> bool:
    try:
        revocations.check(given)
    except TokenRefused as error:
        refused = error
    else:
        return False
    assert refused.code == "token_revoked"
    return True


@rows(
    ("issued_at_s", "refused"),
    [
        (0, True),
        (MOMENT_S - 3600, True),
        (math.floor(MOMENT_S), True),
        (MOMENT_S, True),
        (math.ceil(MOMENT_S), False),
        (MOMENT_S + 3600, False),
    ],
)
def test_what_was_issued_up_to_the_moment_is_refused(issued_at_s: float, refused: bool) -> None:
    revocations = Revocations(Path())
    revocations.add("ada", MOMENT_S)
    assert is_refused(revocations, identity(issued_at_s=issued_at_s)) is refused
    assert not is_refused(revocations, identity("grace", issued_at_s))


def test_a_later_moment_counts_and_an_earlier_one_takes_nothing_back() -> None:
    revocations = Revocations(Path())
    for moment_s in (MOMENT_S, MOMENT_S + 60, MOMENT_S - 60):
        revocations.add("ada", moment_s)
    assert is_refused(revocations, identity(issued_at_s=MOMENT_S + 60))
    assert len(revocations) == 1


def test_the_file_keeps_them(tmp_path: Path) -> None:
    assert len(read_revocations(tmp_path)) == 0
    revocations = read_revocations(tmp_path)
    for user_id in ("ada", "auth0|5f", "o'brien & co", 'quo"te\\'):
        revocations.add(user_id, MOMENT_S)
    revocations.write(revocations.content())
    again = read_revocations(tmp_path)
    assert len(again) == 4
    assert is_refused(again, identity('quo"te\\'))
    assert not is_refused(again, identity("grace"))
    path = tmp_path / REVOCATIONS_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [REVOCATIONS_NAME]


def test_a_disk_that_takes_nothing_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revocations = read_revocations(tmp_path)
    revocations.add("ada", MOMENT_S)
    revocations.write(revocations.content())
    revocations.add("grace", MOMENT_S)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        revocations.write(revocations.content())
    monkeypatch.undo()
    assert is_refused(read_revocations(tmp_path), identity())
    assert not is_refused(read_revocations(tmp_path), identity("grace"))
    assert [entry.name for entry in tmp_path.iterdir()] == [REVOCATIONS_NAME]


@rows(
    "content",
    [
        b"", b"{", b"null", b"[]", b"{}", b"\xff", b'{"version":1}', b"[" * 9000,
        b'{"version":1,"everybody":null,"users":[]}',
        b'{"version":1,"everybody":null,"users":{"ada":null}}',
        b'{"version":1,"everybody":null,"users":{"ada":"now"}}',
        b'{"version":1,"everybody":null,"users":{"ada":true}}',
        b'{"version":1,"everybody":null,"users":{"ada":NaN}}',
        b'{"version":1,"everybody":null,"users":{"ada":1e999}}',
        b'{"version":1,"everybody":"x","users":{}}',
    ],
)  # fmt: skip
def test_a_damaged_file_is_not_taken_for_an_empty_one(content: bytes, tmp_path: Path) -> None:
    (tmp_path / REVOCATIONS_NAME).write_bytes(content)
    with pytest.raises(RevocationsUnreadable, match="Bring it back from a backup"):
        read_revocations(tmp_path)


def test_a_file_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / REVOCATIONS_NAME).mkdir()
    with pytest.raises(OSError, match="a directory"):
        read_revocations(tmp_path)


def test_beyond_the_bound_the_oldest_counts_for_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REVOCATIONS_MAX", 3)
    revocations = read_revocations(tmp_path)
    for number in range(5):
        revocations.add(f"user {number}", MOMENT_S + number)
    assert len(revocations) == 3
    revocations.write(revocations.content())
    for kept in (revocations, read_revocations(tmp_path)):
        assert is_refused(kept, identity("user 0", MOMENT_S))
        assert is_refused(kept, identity("somebody", MOMENT_S + 1))
        assert not is_refused(kept, identity("somebody", MOMENT_S + 2))
        assert is_refused(kept, identity("user 4", MOMENT_S + 4))


def test_what_root_writes_is_the_owners_of_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _, user, group: given.append((user, group)))
    revocations = read_revocations(tmp_path)
    revocations.write(revocations.content())
    owner = tmp_path.stat()
    assert given == [(owner.st_uid, owner.st_gid)]
