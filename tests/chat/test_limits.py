"""Buckets, back-off and admission. Times are eighths of a second, so that the sums are exact."""

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chatd.chat.limits import BACKOFF_MAX_S, Bucket, Limiter, Penalties, Penalty, admit

eighths = st.integers(0, 8 * 90).map(lambda count: count / 8)


def backoff_waits(script: list[tuple[float, float]]) -> list[float]:
    """The waits of refusals at (now, wait of the bucket)."""
    backoff = Penalty()
    return [backoff.refuse(bucket_s, now_s) for now_s, bucket_s in script]


def test_a_bucket_starts_with_a_minutes_worth() -> None:
    bucket = Bucket(30, 100.0)
    taken = 0
    while bucket.wait_s(100.0) == 0.0:
        bucket.spend()
        taken += 1
    assert taken == 30
    assert bucket.wait_s(100.0) == 2.0


@pytest.mark.parametrize(
    ("later_s", "wait_s"), [(0.0, 2.0), (0.5, 1.5), (2.0, 0.0), (3.0, 0.0), (1e9, 0.0)]
)
def test_tokens_come_back_evenly(later_s: float, wait_s: float) -> None:
    bucket = Bucket(30, 0.0, burst=1)
    bucket.spend()
    assert bucket.wait_s(later_s) == wait_s


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    bucket = Bucket(60, 0.0, burst=2)
    bucket.give_back()
    assert bucket.is_full(1e6)
    for _ in range(2):
        bucket.spend()
    assert bucket.wait_s(1e6) == 1.0


def test_a_token_given_back_can_be_taken_again() -> None:
    bucket = Bucket(60, 0.0, burst=1)
    bucket.spend()
    bucket.give_back()
    assert bucket.wait_s(0.0) == 0.0


def test_a_rate_below_one_a_minute_still_lets_one_through() -> None:
    bucket = Bucket(0.5, 0.0)
    assert bucket.wait_s(0.0) == 0.0
    bucket.spend()
    assert bucket.wait_s(0.0) == 120.0


@pytest.mark.parametrize("per_minute", [1e-6, 1e15])
def test_the_outermost_rates_give_finite_waits(per_minute: float) -> None:
    bucket, backoffs = Bucket(per_minute, 0.0), Penalties()
    outcomes = [admit("ann", bucket, backoffs, 0.0) for _ in range(3)]
    assert outcomes[0] is None
    assert all(wait is None or wait > 0 for wait in outcomes)


@pytest.mark.parametrize(
    ("script", "waits"),
    [
        ([(0, 0.5)], [1]),
        ([(0, 7)], [7]),
        ([(0, 0)] * 9, [1, 2, 4, 8, 16, 32, 60, 60, 60]),
        ([(0, 0), (1, 0), (2, 0)], [1, 1, 1]),
        ([(0, 0), (0.5, 0), (2.5, 0)], [1, 2, 2]),
        ([(0, 0), (0, 0), (59, 0)], [1, 2, 2]),
        ([(0, 0), (0, 0), (60, 0)], [1, 2, 1]),
        ([(0, 90), (60, 1)], [90, 60]),
        ([(0, 2), (1, 1), (1, 1)], [2, 4, 8]),
        ([(0, 0)] * 6 + [(32, 0), (64, 0)], [1, 2, 4, 8, 16, 32, 32, 1]),
    ],
    ids=[
        "a short wait is a second",
        "a longer wait of the bucket counts",
        "doubling stops at a minute",
        "who waits as told is told the same",
        "who comes early is told twice as much",
        "less than a clean minute keeps it",
        "a clean minute resets it",
        "a minute that was not waited out is not clean",
        "what is doubled is what was told",
        "refusals after waiting as told leave the minute clean",
    ],
)
def test_back_off_follows_its_script(script: list[tuple[float, float]], waits: list[float]) -> None:
    assert backoff_waits(script) == waits


@given(st.lists(st.tuples(eighths, st.integers(0, 100))))
def test_a_wait_is_at_least_the_buckets_and_never_doubles_beyond_a_minute(
    script: list[tuple[float, float]],
) -> None:
    backoff, now_s = Penalty(), 0.0
    for later_s, bucket_s in script:
        now_s += later_s
        wait_s = backoff.refuse(bucket_s, now_s)
        assert max(bucket_s, 1) <= wait_s <= max(bucket_s, BACKOFF_MAX_S)
        assert backoff.blocked_s(now_s) == wait_s
        assert backoff.blocked_s(now_s + wait_s) == 0.0


@given(st.integers(0, 10**12), st.sampled_from([1, 7, 10, 30, 59, 600]), st.integers(1, 20))
@example(4_078_852_776, 1, 1)  # the sum of the readings is just short of a token
def test_who_waits_as_told_is_admitted(now_us: int, per_minute: float, rounds: int) -> None:
    now_s = now_us / 1e6
    bucket, backoffs = Bucket(per_minute, now_s, burst=1), Penalties()
    for _ in range(rounds):
        assert admit("ann", bucket, backoffs, now_s) is None
        retry_after_ms = admit("ann", bucket, backoffs, now_s)
        assert retry_after_ms is not None
        now_s += retry_after_ms / 1000


def test_who_is_told_to_wait_is_refused_although_the_bucket_has_a_token() -> None:
    bucket, backoffs = Bucket(600, 0.0, burst=1), Penalties()
    outcomes = [admit("ann", bucket, backoffs, now_s) for now_s in (0.0, 0.0, 0.5, 2.5)]
    assert outcomes == [None, 1000, 2000, None]


def test_who_is_let_through_and_refused_again_within_the_minute_is_told_twice_as_much() -> None:
    bucket, backoffs = Bucket(30, 0.0, burst=1), Penalties()
    script = [0.0, 0.0, 2.0, 2.0, 6.0, 6.0, 14.0, 100.0, 100.0]
    outcomes = [admit("ann", bucket, backoffs, now_s) for now_s in script]
    assert outcomes == [None, 2000, None, 4000, None, 8000, None, None, 2000]


def test_one_senders_back_off_is_not_anothers() -> None:
    backoffs = Penalties()
    empty = Bucket(60, 0.0, burst=1)
    empty.spend()
    admit("ann", empty, backoffs, 0.0)
    assert admit("bob", Bucket(60, 0.0), backoffs, 0.0) is None


def test_a_key_keeps_its_bucket() -> None:
    limiter = Limiter(60)
    assert limiter.bucket("ann", 0.0) is limiter.bucket("ann", 5.0)
    assert limiter.bucket("ann", 5.0) is not limiter.bucket("bob", 5.0)


def test_a_full_limiter_forgets_those_that_are_idle_first() -> None:
    limiter = Limiter(60, keys_max=3)
    busy = limiter.bucket("busy", 0.0)
    busy.spend()
    for name in ("idle", "idler", "new"):
        limiter.bucket(name, 0.0)
    assert limiter.bucket("busy", 0.0) is busy


@pytest.mark.parametrize("keys_max", [1, 2, 5])
@pytest.mark.parametrize("spend", [True, False])
def test_no_number_of_keys_grows_the_memory(keys_max: int, spend: bool) -> None:
    limiter, backoffs = Limiter(60, keys_max=keys_max), Penalties(keys_max=keys_max)
    for number in range(50):
        bucket = limiter.bucket(str(number), 0.0)
        if spend:
            bucket.spend()
        backoffs.refuse(str(number), 1.0, 0.0)
        assert 0 < len(limiter) <= keys_max
        assert 0 < len(backoffs) <= keys_max


def test_a_full_memory_of_refusals_drops_those_that_are_idle_first() -> None:
    backoffs = Penalties(keys_max=2)
    backoffs.refuse("busy", 600.0, 0.0)
    backoffs.refuse("idle", 1.0, 0.0)
    backoffs.refuse("new", 1.0, 61.0)
    assert backoffs.get("busy") is not None
    assert backoffs.get("idle") is None


class Admission(RuleBasedStateMachine):
    """One sender, beside the exact sum of what its bucket must hold."""

    @initialize(per_minute=st.sampled_from([30, 60, 120, 240]), burst=st.integers(1, 4))
    def start(self, per_minute: int, burst: int) -> None:
        self.now_s = 0.0
        self.rate = Fraction(per_minute, 60)
        self.burst = burst
        self.tokens = Fraction(burst)
        self.bucket = Bucket(per_minute, 0.0, burst=burst)
        self.backoffs = Penalties()
        self.told_until_s = 0.0
        self.admitted: list[float] = []

    @rule(later_s=st.integers(0, 32).map(lambda count: count / 8))
    def wait(self, later_s: float) -> None:
        self.now_s += later_s
        self.tokens = min(Fraction(self.burst), self.tokens + Fraction(later_s) * self.rate)

    @rule()
    def wait_as_told(self) -> None:
        self.wait(max(0.0, self.told_until_s - self.now_s))

    @rule()
    def ask(self) -> None:
        may = self.now_s >= self.told_until_s and self.tokens >= 1
        retry_after_ms = admit("ann", self.bucket, self.backoffs, self.now_s)
        assert (retry_after_ms is None) is may
        if retry_after_ms is None:
            self.tokens -= 1
            self.admitted.append(self.now_s)
        else:
            # Waits come out in eighths of a second, so whole milliseconds round nothing.
            self.told_until_s = self.now_s + retry_after_ms / 1000

    @invariant()
    def a_refusal_spends_nothing(self) -> None:
        missing = max(Fraction(0), 1 - self.tokens)
        assert self.bucket.wait_s(self.now_s) == float(missing / self.rate)

    @invariant()
    def no_window_holds_more_than_burst_and_rate_allow(self) -> None:
        for first, start_s in enumerate(self.admitted):
            for count, end_s in enumerate(self.admitted[first:], start=1):
                assert count <= self.burst + self.rate * Fraction(end_s - start_s)


TestAdmission = Admission.TestCase


def test_another_rate_keeps_what_was_spent_and_holds_no_more_than_its_own_burst() -> None:
    bucket = Bucket(60, 0.0)
    for _ in range(50):
        assert bucket.wait_s(0.0) == 0.0
        bucket.spend()
    bucket.change(6, 0.0)  # ten tokens were left
    spent = 0
    while bucket.wait_s(0.0) == 0.0:
        bucket.spend()
        spent += 1
    assert spent == 6
    assert bucket.wait_s(0.0) == pytest.approx(10.0)
    bucket.change(600, 0.0)
    assert bucket.wait_s(0.0) == pytest.approx(0.1)


def test_another_rate_of_a_limiter_holds_for_known_keys_and_new_ones() -> None:
    limiter = Limiter(1)
    known = limiter.bucket("known", 0.0)
    known.spend()
    limiter.change(60, 0.0)
    assert known.wait_s(0.0) == pytest.approx(1.0)
    for _ in range(60):
        assert limiter.bucket("new", 0.0).wait_s(0.0) == 0.0
        limiter.bucket("new", 0.0).spend()
    assert limiter.bucket("new", 0.0).wait_s(0.0) == pytest.approx(1.0)
