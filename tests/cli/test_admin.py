"""`chatd admin`: what it says of the answers of a daemon."""

import pytest

from chatd.cli.admin import _ended


@pytest.mark.parametrize(
    ("kicked", "outcome", "said"),
    [
        (0, "nothing", "Nobody is connected as eve, so nothing was ended."),
        (0, "done", "Ended: 0 sessions of eve on this node; the other nodes were told."),
        (1, "done", "Ended: 1 session of eve."),
    ],
)
def test_it_says_that_nothing_was_ended_only_where_no_other_node_may_have(
    kicked: int, outcome: str, said: str
) -> None:
    assert _ended({"kicked": kicked, "outcome": outcome}, "eve") == said
