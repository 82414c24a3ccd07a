"""A file on its way to a client, piece by piece, and what became of it."""

from collections.abc import Callable, Iterator

from chatd.answers.spool import SpooledFile


class Delivery:
    """A file on its way to a client; `on_end` is told, once, whether it was sent, and how many
    bytes."""

    def __init__(
        self, source: Iterator[bytes] | SpooledFile, on_end: Callable[[bool, int], None]
    ) -> None:
        self._source = source
        self._on_end = on_end
        self._size = 0
        self._is_over = False

    def __aiter__(self) -> "Delivery":
        return self

    async def __anext__(self) -> bytes:
        try:
            if isinstance(self._source, SpooledFile):
                piece = await anext(self._source)
            else:
                piece = next(self._source)
        except (StopIteration, StopAsyncIteration):
            self._end(is_sent=True)
            raise StopAsyncIteration from None
        self._size += len(piece)
        return piece

    async def aclose(self) -> None:
        """No more of it leaves."""
        self._end(is_sent=False)

    def _end(self, *, is_sent: bool) -> None:
        if not self._is_over:
            self._is_over = True
            if isinstance(self._source, SpooledFile):
                self._source.close()
            self._on_end(is_sent, self._size)
