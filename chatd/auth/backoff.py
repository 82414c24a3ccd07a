"""How long an address waits after authentications that failed: a pure machine.

For each address, `free_failures` cost nothing; then each failure doubles the wait, from `base_s` up
to `cap_s`; after a success, or `forget_after_s` without a failure, the address is unknown again.
This spares the daemon work; it does not guard the secret, which nobody can guess: so one good token
clears its address, and a broken client does little harm to others behind the same NAT.
"""

from collections import OrderedDict

import attrs

from chatd.chat.backoff import next_wait_s


@attrs.define
class _Failures:
    count: int
    last_at_s: float
    wait_s: float


@attrs.define(kw_only=True)
class FailureBackoff:
    """Failures by address. All times are seconds of one monotonic clock, given by the caller.

    free_failures: failures before the first wait. base_s, cap_s: the first wait, and the longest.
    forget_after_s: quiet time after which failures no longer count; at least `cap_s`, or an
        address would be forgotten while it waits (ValueError).
    max_addresses: addresses that are remembered; beyond that, the one that failed longest ago is
    forgotten, so that memory is bounded.
    """

    free_failures: int = 10
    base_s: float = 1.0
    cap_s: float = 60.0
    forget_after_s: float = 600.0
    max_addresses: int = 10_000
    _by_address: OrderedDict[str, _Failures] = attrs.field(init=False, factory=OrderedDict)

    def __attrs_post_init__(self) -> None:
        if self.free_failures < 0 or self.max_addresses < 1:
            raise ValueError("free_failures is at least 0, and max_addresses at least 1")
        if not 0 < self.base_s <= self.cap_s <= self.forget_after_s:
            raise ValueError("waits need 0 < base_s <= cap_s <= forget_after_s")

    def __len__(self) -> int:
        """The number of addresses that are remembered."""
        return len(self._by_address)

    def record_failure(self, address: str, now_s: float) -> None:
        """An authentication from `address` failed at `now_s`."""
        self._forget_quiet(now_s)
        failures = self._by_address.get(address)
        if failures is None:
            if len(self._by_address) >= self.max_addresses:
                self._by_address.popitem(last=False)
            failures = self._by_address[address] = _Failures(0, now_s, 0.0)
        failures.count += 1
        failures.last_at_s = now_s
        if failures.count > self.free_failures:
            failures.wait_s = next_wait_s(failures.wait_s, self.base_s, self.cap_s)
        self._by_address.move_to_end(address)

    def record_success(self, address: str) -> None:
        """An authentication from `address` succeeded; its failures are forgotten."""
        self._by_address.pop(address, None)

    def retry_after_s(self, address: str, now_s: float) -> float:
        """Seconds until `address` may try again; 0 if it may now."""
        failures = self._by_address.get(address)
        if failures is None:
            return 0.0
        return max(0.0, failures.last_at_s + failures.wait_s - now_s)

    def _forget_quiet(self, now_s: float) -> None:
        """Forget, from the front, those that were quiet; each was put in once, so this is cheap."""
        while self._by_address:
            address, failures = next(iter(self._by_address.items()))
            if now_s - failures.last_at_s < self.forget_after_s:
                return
            del self._by_address[address]
