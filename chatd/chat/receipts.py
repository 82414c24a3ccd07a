"""Up to where a room has been acknowledged, so that no receipt is looked up twice.

Once a user has acknowledged all of a room up to a seq, only its own messages below it can be left
unacknowledged. Once two users have, nothing is left. So it is enough to know the user that is
furthest, and how far the others are: this tells, for any user, from where on there may be something
for it to acknowledge, whatever the length of the history and the number of members.
"""

import attrs


@attrs.frozen
class Frontier:
    """Up to `all_to` somebody other than the author has acknowledged every message of the room; up
    to `others_to`, which is not lower, every message except some of `user`'s own."""

    all_to: int = 0
    others_to: int = 0
    user: str | None = None

    def reached_by(self, user_id: str) -> int:
        """The seq up to which the user has nothing left to be the first to acknowledge."""
        return self.others_to if user_id == self.user else self.all_to

    def moved(self, user_id: str, seq: int) -> "Frontier":
        """The user has acknowledged all that was left for it up to `seq`."""
        if user_id == self.user:
            return attrs.evolve(self, others_to=max(self.others_to, seq))
        if seq <= self.others_to:
            return attrs.evolve(self, all_to=max(self.all_to, seq))
        return Frontier(self.others_to, seq, user_id)
