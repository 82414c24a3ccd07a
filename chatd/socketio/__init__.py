"""Socket.IO protocol 5, server side, without I/O: packet codec, binary assembly, namespaces.

Text and binary messages of Engine.IO go into a `Decoder`, its packets into `Namespaces`, which says
what they mean; answers are `Encoded`. A peer's breach raises `ProtocolError`, and no input raises
anything else.
"""
