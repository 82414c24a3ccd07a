"""Engine.IO 4, the server's side, without input or output.

Packets and payloads turn bytes into values and back; the handshake checks requests; heartbeat and
upgrade are machines that take what happened and when, and return what to do. Nothing here knows a
socket, a clock, a task or the layer above.
"""
