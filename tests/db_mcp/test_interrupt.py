"""A stop of a call, before and while it reaches its database."""

import pytest

from chatd.db_mcp.interrupt import Interrupt, Interrupted


def test_a_stop_that_came_before_the_connection_was_there_is_not_lost() -> None:
    interrupt, interrupted = Interrupt(), []
    interrupt.stop()
    with (
        pytest.raises(Interrupted),
        interrupt.reaching(lambda: interrupted.append("the connection")),
    ):
        raise AssertionError("nothing may run")
    assert interrupted == []


def test_a_stop_interrupts_what_runs_and_nothing_afterwards() -> None:
    interrupt, interrupted = Interrupt(), []
    with interrupt.reaching(lambda: interrupted.append("the connection")):
        interrupt.stop()
    interrupt.stop()
    assert interrupted == ["the connection"]
