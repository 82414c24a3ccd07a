"""`chatd` whose messages actor crashes at a message that has a certain word.

Run with the arguments of chatd. What is raised quotes what was being worked on, as exceptions of
libraries do.
"""

from collections.abc import Sequence
from typing import Any

from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import SendMessage
from chatd.cli import main

WORD = "fall over"

decide = MessageMachine.decide


def decide_or_crash(machine: MessageMachine, batch: Sequence[Any], now_ms: int) -> Any:
    for command in batch:
        if isinstance(command, SendMessage) and WORD in command.content:
            raise KeyError(command.content)
    return decide(machine, batch, now_ms)


if __name__ == "__main__":
    MessageMachine.decide = decide_or_crash  # type: ignore[method-assign]
    main()
