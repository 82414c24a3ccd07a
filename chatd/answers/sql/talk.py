"""What is said of a message that is not a question."""

import attrs

from chatd.wire.codes import HINTS, HintCode


@attrs.frozen
class Talk:
    """It asks nothing. If there is a sentence, it nearly did, and its sender is told."""

    code: HintCode = HintCode.TALK
    sentence: str | None = None

    @classmethod
    def near_sql(cls, sentence: str | None = None) -> "Talk":
        """It looks like SQL, but is not taken for it."""
        return cls(HintCode.NEAR_SQL, sentence or HINTS[HintCode.NEAR_SQL])
