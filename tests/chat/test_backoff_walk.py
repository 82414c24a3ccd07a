"""What refused senders are told, on a random walk, beside the rule.

Two senders share a bucket, so that who waited as told may find it empty. The model keeps each
sender's whole history, and reads from it what a refusal comes to; times are eighths of a second.
"""

from fractions import Fraction
from math import ceil

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from chatd.chat.limits import Bucket, Penalties, admit

MINUTE_S = 60
BURST = 2


@attrs.frozen
class Try:
    """One try of a sender; where it was refused, what it was told, and whether it was to blame."""

    at_s: Fraction
    told_s: Fraction | None = None
    is_violation: bool = False


class Told(RuleBasedStateMachine):
    @initialize(per_minute=st.sampled_from([30, 60, 120]))
    def start(self, per_minute: int) -> None:
        self.now_s = Fraction(0)
        self.rate = Fraction(per_minute, 60)
        self.tokens = Fraction(BURST)
        self.bucket = Bucket(per_minute, 0.0, burst=BURST)
        self.backoffs = Penalties()
        self.tries: dict[str, list[Try]] = {"ann": [], "bob": []}

    @rule(eighths=st.integers(0, 40) | st.integers(450, 500))
    def wait(self, eighths: int) -> None:
        self.now_s += Fraction(eighths, 8)
        self.tokens = min(Fraction(BURST), self.tokens + Fraction(eighths, 8) * self.rate)

    @rule(user=st.sampled_from(["ann", "bob"]))
    def wait_as_told(self, user: str) -> None:
        self.wait(max(0, ceil((self.blocked_until(user) - self.now_s) * 8)))

    @rule(user=st.sampled_from(["ann", "bob"]))
    def ask(self, user: str) -> None:
        expected = self.expected(user)
        told_ms = admit(user, self.bucket, self.backoffs, float(self.now_s))
        if expected is None:
            assert told_ms is None
            self.tokens -= 1
            self.tries[user].append(Try(self.now_s))
        else:
            told_s, is_violation = expected
            assert told_ms == ceil(told_s * 1000)
            self.tries[user].append(Try(self.now_s, told_s, is_violation))

    @rule(user=st.sampled_from(["ann", "bob"]), count=st.integers(2, 9))
    def insist(self, user: str, count: int) -> None:
        for _ in range(count):
            self.ask(user)

    def blocked_until(self, user: str) -> Fraction:
        refused = [one.at_s + one.told_s for one in self.tries[user] if one.told_s is not None]
        return max(refused, default=Fraction(0))

    def expected(self, user: str) -> tuple[Fraction, bool] | None:
        """What a try comes to: let through, or told to wait so long, by its own fault or not."""
        tries, until_s = self.tries[user], self.blocked_until(user)
        needed_s = max(Fraction(0), (1 - self.tokens) / self.rate)
        if self.now_s >= until_s and needed_s == 0:
            return None
        wait_s = until_s - self.now_s if self.now_s < until_s else needed_s
        violations = [one for one in tries if one.is_violation]
        is_clean = not violations or (
            self.now_s >= until_s and self.now_s - violations[-1].at_s >= MINUTE_S
        )
        if is_clean:
            return max(wait_s, Fraction(1)), True
        waited_as_told = self.now_s >= until_s and tries[-1].told_s is not None
        level_s = self.level_s(violations)
        if not waited_as_told:
            level_s = min(Fraction(MINUTE_S), 2 * level_s)
        return max(wait_s, level_s), not waited_as_told

    def level_s(self, violations: list[Try]) -> Fraction:
        """What the last violation came to, less what the bucket itself needed beyond that."""
        told_s = violations[-1].told_s
        assert told_s is not None
        return min(Fraction(MINUTE_S), told_s)


TestTold = Told.TestCase
TestTold.settings = settings(stateful_step_count=40)
