"""Waits that double: before another attempt at what failed, and for a peer that was refused."""


def next_wait_s(last_s: float, first_s: float, longest_s: float) -> float:
    """The wait, in seconds, that follows on `last_s`, which is 0 before the first one."""
    return min(longest_s, 2 * last_s or first_s)


class Backoff:
    """The wait after each failure in a row: `first_s`, then doubled up to `longest_s`.

    `wait_s` is the current one, 0 after a success.
    """

    __slots__ = ("_first_s", "_longest_s", "wait_s")

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self.wait_s = 0.0

    def failed(self) -> float:
        """Count one more failure; returns the seconds to wait before the next attempt."""
        self.wait_s = next_wait_s(self.wait_s, self._first_s, self._longest_s)
        return self.wait_s

    def succeeded(self) -> None:
        """Begin with the first wait again."""
        self.wait_s = 0.0
