"""The event catalogue: names, payload classes, error codes, the strict converter (SPEC 3, 4).

Pure, and the only home of what stands on the wire above Socket.IO. It knows shapes, not rules.
"""
