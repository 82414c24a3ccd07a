"""RFC 6455 without I/O: handshake, frames out, messages in; `client` has the whole client's side.

Owns the bytes between a TCP stream and whole messages. It must not know sockets, tasks, clocks, or
what a message means. Version 13 without extensions (section 9): every RSV bit is an error.
"""
