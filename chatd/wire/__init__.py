"""What is on the wire above Socket.IO: names, payloads both ways, acks, error codes.

Pure. It knows shapes, not rules: whether a room is permitted or a content too long is decided in
`chat`. `catalogue` has all of it as plain data.
"""
