"""Tickets of downloads: good once, for a minute, for one message; never more than the bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.auth import Grant, Identity
from chatd.service.download_tickets import TICKET_S, TICKETS_PER_USER, DownloadTickets
from chatd.wire.names import Role


def identity(user_id: str = "ada", issued_at_s: float = 1.0) -> Identity:
    return Identity(user_id, None, 2_000_000_000_000, {"iat": issued_at_s})


def test_a_ticket_is_good_once_and_says_whose_it_is() -> None:
    given_out = DownloadTickets()
    ticket = given_out.give("m", "sales", identity(), 5.0)
    assert given_out.use(ticket, "m", 6.0) == identity()
    assert given_out.use(ticket, "m", 6.0) is None
    assert len(given_out) == 0


@pytest.mark.parametrize(("after_s", "is_good"), [(TICKET_S - 0.1, True), (TICKET_S, False)])
def test_a_ticket_is_good_for_a_minute(after_s: float, is_good: bool) -> None:
    given_out = DownloadTickets()
    ticket = given_out.give("m", "sales", identity(), 5.0)
    assert (given_out.use(ticket, "m", 5.0 + after_s) is not None) is is_good


def test_a_ticket_for_another_message_is_used_up_and_gives_nothing() -> None:
    given_out = DownloadTickets()
    ticket = given_out.give("m", "sales", identity(), 5.0)
    assert given_out.use(ticket, "another", 5.0) is None
    assert given_out.use(ticket, "m", 5.0) is None


def test_a_look_leaves_a_ticket_as_good_as_it_was() -> None:
    given_out = DownloadTickets()
    ticket = given_out.give("m", "sales", identity(), 5.0)
    assert given_out.look(ticket, "m", 6.0) == identity()
    assert given_out.look(ticket, "another", 6.0) is None
    assert given_out.look(ticket, "m", 5.0 + TICKET_S) is None
    assert given_out.use(ticket, "m", 6.0) == identity()


def test_no_ticket_that_was_not_given_is_good() -> None:
    given_out = DownloadTickets()
    ticket = given_out.give("m", "sales", identity(), 5.0)
    for name in ("", "x", ticket[:-1], ticket.swapcase()):
        assert given_out.use(name, "m", 5.0) is None
    assert len(given_out) == 1


def test_of_too_many_tickets_of_a_user_its_oldest_is_void() -> None:
    given_out = DownloadTickets()
    other = given_out.give("m", "sales", identity("bob"), 5.0)
    own = [given_out.give("m", "sales", identity(), 5.0) for _ in range(TICKETS_PER_USER + 1)]
    assert given_out.use(own[0], "m", 5.0) is None
    assert given_out.use(own[1], "m", 5.0) is not None
    assert given_out.use(other, "m", 5.0) is not None


def test_of_too_many_tickets_of_everybody_the_oldest_is_void() -> None:
    given_out = DownloadTickets(3)
    names = [given_out.give("m", "sales", identity(f"user {number}"), 5.0) for number in range(4)]
    assert len(given_out) == 3
    assert given_out.use(names[0], "m", 5.0) is None
    assert given_out.use(names[3], "m", 5.0) is not None


def test_tickets_that_have_run_out_are_forgotten_with_the_next_one() -> None:
    given_out = DownloadTickets()
    for number in range(5):
        given_out.give("m", "sales", identity(f"user {number}"), 5.0)
    given_out.give("m", "sales", identity(), 5.0 + TICKET_S)
    assert len(given_out) == 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["give", "use"]), st.sampled_from("abc"), st.integers(0, 40)),
        max_size=60,
    )
)
def test_the_books_of_users_and_tickets_agree(steps: list[tuple[str, str, int]]) -> None:
    given_out, names, now_s = DownloadTickets(), [""], 0.0
    for step, user_id, number in steps:
        now_s += number
        if step == "give":
            names.append(given_out.give("m", "sales", identity(user_id), now_s))
        else:
            given_out.use(names[number % len(names)], "m", now_s)
        by_user = [name for own in given_out._of_user.values() for name in own]
        assert sorted(by_user) == sorted(given_out._tickets)
        assert all(given_out._of_user.values())


def test_a_ticket_is_void_once_a_token_of_its_user_gives_the_room_no_more() -> None:
    given_out = DownloadTickets()
    for_sales = given_out.give("m", "sales", identity(issued_at_s=5), 0.0)
    for_stock = given_out.give("n", "stock", identity(issued_at_s=5), 0.0)
    of_bob = given_out.give("m", "sales", identity("bob", issued_at_s=5), 0.0)
    given_out.withdraw(identity(issued_at_s=4), {})  # an older token knows nothing
    assert given_out.look(for_sales, "m", 1.0) is not None
    given_out.withdraw(identity(issued_at_s=5), {"stock": Grant("stock", None, Role.MEMBER)})
    assert given_out.use(for_sales, "m", 1.0) is None
    assert given_out.use(for_stock, "n", 1.0) is not None
    assert given_out.use(of_bob, "m", 1.0) is not None
    given_out.withdraw(identity("nobody"), {})
    assert len(given_out) == 0


def test_a_ticket_of_one_who_may_write_is_void_once_a_token_gives_no_more_than_reading() -> None:
    given_out = DownloadTickets()
    written = given_out.give("m", "sales", identity(), 0.0)
    read = given_out.give("m", "sales", identity(), 0.0, may_write=False)
    given_out.withdraw(identity(), {"sales": Grant("sales", None, Role.MEMBER)})
    assert given_out.look(written, "m", 1.0) is not None
    given_out.withdraw(identity(), {"sales": Grant("sales", None, Role.VIEWER)})
    assert given_out.look(written, "m", 1.0) is None
    assert given_out.look(read, "m", 1.0) is not None


def test_a_ticket_that_is_given_back_is_as_good_as_before_and_no_better() -> None:
    given_out = DownloadTickets()
    ticket = given_out.give("m", "sales", identity(), 5.0)
    assert given_out.use(ticket, "m", 6.0) == identity()
    assert given_out.look(ticket, "m", 6.0) is None
    given_out.give_back(ticket)
    assert given_out.look(ticket, "m", 6.0) == identity()
    assert given_out.use(ticket, "m", 6.0) == identity()
    given_out.void(identity().user_id)
    given_out.give_back(ticket)
    assert given_out.look(ticket, "m", 6.0) is None
    assert len(given_out) == 0
