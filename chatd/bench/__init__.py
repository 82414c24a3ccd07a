"""The load tests as a command: how much load a server bears, measured from outside by a generator
that says when it has measured itself instead.

Owns the client's side of Socket.IO, the processes that play users, the scenarios, and what a run
measured. It must not know the inside of the daemon: what it learns about a server comes over its
sockets, from its metrics, and from what the system tells about its process.
"""
