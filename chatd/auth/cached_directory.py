"""What a directory has said, kept for a short time; it is never asked twice at once about a
user."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

import attrs
import trio

from chatd.auth.directory import Directory, DirectoryFailed, DirectoryStatus, Grant
from chatd.auth.refusals import TokenRefused
from chatd.auth.tokens import Identity

USERS_MAX: Final = 20_000
"""Users whose rooms are kept, as many as there may be connections; beyond that, the oldest answer
is forgotten, and its user is asked about again."""


@attrs.frozen
class _Answer:
    grants: Mapping[str, Grant]
    at_s: float


@attrs.define(eq=False)
class _Question:
    """A question that is under way. If it ends without an outcome, its asker has given up."""

    done: trio.Event = attrs.field(factory=trio.Event)
    outcome: Mapping[str, Grant] | DirectoryFailed | TokenRefused | None = None


@attrs.define(eq=False)
class CachedDirectory:
    """A directory behind a cache: an answer counts for `ttl_s` seconds, a failure not at all.

    The source's answers must depend on nothing but the user id. All times are Trio's.
    """

    _source: Directory
    _ttl_s: float
    _users_max: int = USERS_MAX
    _now_s: Callable[[], float] = trio.current_time
    _answers: OrderedDict[str, _Answer] = attrs.field(init=False, factory=OrderedDict)
    _questions: dict[str, _Question] = attrs.field(init=False, factory=dict)

    def __len__(self) -> int:
        """The number of users whose rooms are kept."""
        return len(self._answers)

    @property
    def status(self) -> DirectoryStatus:
        return self._source.status

    def answered_s(self, user_id: str) -> float | None:
        """When the directory was asked about a user whose rooms are known; None if they are not
        known."""
        answer = self._answers.get(user_id)
        return None if answer is None else answer.at_s

    def grants_now(self, identity: Identity) -> Mapping[str, Grant] | None:
        answer = self._answers.get(identity.user_id)
        if answer is None or self._now_s() - answer.at_s >= self._ttl_s:
            return None
        return answer.grants

    async def grants(self, identity: Identity) -> Mapping[str, Grant]:
        known = self.grants_now(identity)
        return await self.renewed(identity) if known is None else known

    async def renewed(self, identity: Identity) -> Mapping[str, Grant]:
        """As `grants`, but asks whatever is known; joins a question that is under way."""
        while True:
            question = self._questions.get(identity.user_id)
            if question is None:
                return await self._ask(identity)
            await question.done.wait()
            match question.outcome:
                case None:
                    continue
                case DirectoryFailed() | TokenRefused() as error:
                    raise error
                case grants:
                    return grants

    async def _ask(self, identity: Identity) -> Mapping[str, Grant]:
        question = self._questions[identity.user_id] = _Question()
        asked_s = self._now_s()
        try:
            question.outcome = grants = await self._source.grants(identity)
        except DirectoryFailed as error:
            question.outcome = error
            raise
        except TokenRefused as error:
            self._answers.pop(identity.user_id, None)
            question.outcome = error
            raise
        finally:
            del self._questions[identity.user_id]
            question.done.set()
        self._keep(identity.user_id, _Answer(grants, asked_s))
        return grants

    def _keep(self, user_id: str, answer: _Answer) -> None:
        """Keep an answer, and forget, from the front, those that nobody has renewed; each answer
        was put in once, so this is cheap."""
        answers = self._answers
        answers[user_id] = answer
        answers.move_to_end(user_id)
        while len(answers) > self._users_max or (
            answer.at_s - next(iter(answers.values())).at_s >= self._ttl_s
        ):
            answers.popitem(last=False)
