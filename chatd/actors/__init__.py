"""Actors: a mailbox, and one loop that drives a machine of `chatd.chat` over the log.

Waiting goes one way only: session -> actor -> log. What comes back goes out as effects, through a
small Protocol that `chatd.app` fills in. Actors do not call each other.
"""
