"""The load tests as a command: what a server bears, measured from outside by a generator that says
when it is itself what was measured.

Owns the client's side of Socket.IO, the processes that play users, the scenarios, and what a run
measured. It must not know the inside of the daemon: what it learns of a server comes over its
sockets, its metrics, and what the system tells of its process.
"""
