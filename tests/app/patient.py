"""`chatd` whose users wait for their turn as long as a slow machine needs to start a process. Run
with the arguments of chatd."""

from chatd.actors import fair_queue
from chatd.cli import main

if __name__ == "__main__":
    fair_queue.WAIT_S = 60.0
    main()
