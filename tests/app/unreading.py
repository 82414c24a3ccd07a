"""`chatd` whose process that reads messages cannot be started. Run with the arguments of chatd."""

from collections.abc import Sequence

from chatd.app.parts import answering
from chatd.cli import main


def no_command(dialects: Sequence[str]) -> tuple[str, ...]:
    """What starts nothing."""
    return ("/no/such/program", *dialects)


if __name__ == "__main__":
    answering.child_command = no_command  # type: ignore[attr-defined]
    main()
