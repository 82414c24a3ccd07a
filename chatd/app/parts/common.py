"""What most groups of parts need."""

from typing import Final

import attrs

from chatd.answers.sql.first_look import may_be_question
from chatd.chat.markup import MARKUPS, Markup
from chatd.chat.rendering import Renderer
from chatd.config import Config
from chatd.net.deadlines import Deadlines
from chatd.observe import EventLog
from chatd.observe.clock import Clock
from chatd.observe.message_times import MessageTimes

MAILBOX_CAPACITY: Final = 10_000
"""Commands that wait for an actor; beyond it readers pause."""


@attrs.frozen(eq=False)
class Common:
    """The configuration at the start, where events go, clocks, and how messages are rendered.
    `deadlines` are those of sessions and tokens."""

    config: Config
    event_log: EventLog
    clock: Clock
    times: MessageTimes
    deadlines: Deadlines
    markup: Markup
    renderer: Renderer


def build_common(config: Config, event_log: EventLog, clock: Clock, times: MessageTimes) -> Common:
    markup = MARKUPS[config.messages.markup]
    renderer = Renderer(markup, may_be_question)
    return Common(config, event_log, clock, times, Deadlines(), markup, renderer)
