"""The sessions of a server by sid, and the last words of those that have ended.

A session that polls ends between two requests: what it still has to say, the end included, is kept
for the GET that comes next.
"""

import attrs
import trio

from chatd.engine.session import SessionHost

LAST_WORDS_MAX = 1_000  # ended sessions whose last words are kept; beyond: the oldest are dropped
LAST_WORDS_BYTES_MAX = 16_777_216  # of last words, together; likewise


@attrs.frozen
class LastWords:
    """What an ended session still has to say by polling, and until when."""

    until_s: float
    payloads: list[bytes]


@attrs.frozen(eq=False)
class Sessions(SessionHost):
    """All sessions of a server."""

    _last_words: dict[str, LastWords] = attrs.field(factory=dict, init=False)

    def keep_last_words(self, sid: str, payloads: list[bytes], for_s: float) -> None:
        """Keep the last words of a session that has ended for GETs that come late."""
        now_s = trio.current_time()
        for old, kept in list(self._last_words.items()):
            if kept.until_s > now_s and not self._is_full():
                break  # the rest is younger, or kept for longer: it goes for want of room
            del self._last_words[old]
        self._last_words[sid] = LastWords(now_s + for_s, payloads)

    def _is_full(self) -> bool:
        held = sum(len(payload) for kept in self._last_words.values() for payload in kept.payloads)
        return len(self._last_words) >= LAST_WORDS_MAX or held > LAST_WORDS_BYTES_MAX

    def forget_last_words(self, sid: str) -> None:
        """Drop what an ended session still had to say."""
        self._last_words.pop(sid, None)

    def last_words(self, sid: str) -> bytes | None:
        """The next payload that an ended session left for a GET; each is given once."""
        kept = self._last_words.get(sid)
        if kept is None:
            return None
        payload = kept.payloads.pop(0) if trio.current_time() < kept.until_s else None
        if payload is None or not kept.payloads:
            del self._last_words[sid]
        return payload
