"""What no log keeps: all nodes have one view of who is there, and of who types."""

import statistics
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from tests.cluster.histories import Case

TYPING_S: Final = 1.0


def presence(case: Case) -> Iterator[str]:
    """All nodes show the same users of a room, and these are the ones who are there."""
    views: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for view in case.presences:
        views[view.room][view.node] = dict(view.statuses)
    for room, by_node in views.items():
        first, *others = by_node.items()
        for node, statuses in others:
            if statuses != first[1]:
                only = sorted(set(statuses.items()) ^ set(first[1].items()))
                yield f"{room}: {first[0]} and {node} differ in {only}"
        for node, statuses in by_node.items():
            shown = {user for user, status in statuses.items() if status != "offline"}
            if room in case.present and shown != case.present[room]:
                yield (
                    f"{room} at {node}: {sorted(shown - case.present[room])} are shown and gone, "
                    f"{sorted(case.present[room] - shown)} are there and not shown"
                )


def typing(case: Case) -> Iterator[str]:
    """Each node shows who types, within a second of the first: by the median of the rounds."""
    late = []
    for typing in case.typings:
        silent = [node for node, after_s in typing.after_s.items() if after_s is None]
        if silent:
            yield f"{', '.join(silent)} never showed that somebody types"
        late.append(max((after_s or 0.0 for after_s in typing.after_s.values()), default=0.0))
    if late and (median_s := statistics.median(late)) > TYPING_S:
        yield f"nodes agree on who types after {median_s:.2f} s"
