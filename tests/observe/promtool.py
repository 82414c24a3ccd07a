"""Prometheus' own judge of rules, expressions and metrics (Debian's package prometheus)."""

import subprocess
from pathlib import Path

LIMIT_S = 60


def promtool(*arguments: str | Path, given: bytes = b"") -> str:
    """Run promtool; what it says. Fails with that where it is not content."""
    ended = subprocess.run(
        ["promtool", *map(str, arguments)],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT_S,
        check=False,
    )
    said = ended.stdout.decode()
    assert ended.returncode == 0, said
    return said
