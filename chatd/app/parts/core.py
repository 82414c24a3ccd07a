"""What holds the state of the daemon, as one value for the groups that are built on it."""

import attrs

from chatd.app.parts.answering import Answering
from chatd.app.parts.common import Common
from chatd.app.parts.messages import Messages
from chatd.app.parts.publishing import Publishing
from chatd.app.parts.rosters import Rosters
from chatd.app.parts.storage import Storage


@attrs.frozen(eq=False)
class Core:
    """The log, what is published of it, and the actors."""

    common: Common
    storage: Storage
    publishing: Publishing
    messages: Messages
    rosters: Rosters
    answering: Answering
