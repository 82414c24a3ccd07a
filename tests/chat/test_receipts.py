"""How far a room has been acknowledged, beside the messages themselves."""

from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.receipts import Frontier

USERS = ("ann", "bob", "cyd")
users = st.sampled_from(USERS)


def test_who_has_acknowledged_leaves_its_own_to_the_others() -> None:
    frontier = Frontier().moved("ann", 7)
    assert frontier.reached_by("ann") == 7
    assert frontier.reached_by("bob") == 0


def test_what_two_have_acknowledged_is_left_to_nobody() -> None:
    frontier = Frontier().moved("ann", 7).moved("bob", 5)
    assert [frontier.reached_by(user) for user in USERS] == [7, 5, 5]
    frontier = frontier.moved("cyd", 9)
    assert [frontier.reached_by(user) for user in USERS] == [7, 7, 9]


@given(
    authors=st.lists(users, max_size=12),
    acks=st.lists(st.tuples(users, st.integers(0, 12)), max_size=8),
)
def test_below_it_nothing_is_left_for_the_user(
    authors: list[str], acks: list[tuple[str, int]]
) -> None:
    frontier = Frontier()
    acknowledged: set[int] = set()
    for user, seq in acks:
        acknowledged |= {at for at, author in enumerate(authors, 1) if author != user and at <= seq}
        before = frontier
        frontier = frontier.moved(user, seq)
        assert frontier.reached_by(user) >= seq
        for other in USERS:
            assert frontier.reached_by(other) >= before.reached_by(other)
            for at in range(1, min(frontier.reached_by(other), len(authors)) + 1):
                assert authors[at - 1] == other or at in acknowledged
