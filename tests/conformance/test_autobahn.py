"""The cases of Autobahn's test suite, run by kosoku against the bare WebSocket echo.

All but the cases of throughput (9) and of compression (12, 13), which is not offered.
"""

import json
import subprocess
import sys
from pathlib import Path

from tests.peers.servers import application

KOSOKU = Path(sys.executable).with_name("kosoku")
CASES = 247
RUN_LIMIT_S = 60.0
GOOD = frozenset({"OK", "NON-STRICT", "INFORMATIONAL"})
EXCLUDED = ("9.*", "12.*", "13.*")


def test_every_case_of_autobahns_suite_passes(tmp_path: Path) -> None:
    server = application("websocket_echo")
    address = server.url.removeprefix("http://")
    try:
        ended = subprocess.run(
            [
                *(str(KOSOKU), "-p", "8", "-o", str(tmp_path)),
                *(part for cases in EXCLUDED for part in ("-x", cases)),
                address,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_LIMIT_S,
            check=False,
        )
    finally:
        assert server.stop() == 0
    index = tmp_path / "index.json"
    assert index.exists(), f"there is no report; exit code {ended.returncode}:\n{ended.stdout}"
    (cases,) = json.loads(index.read_text()).values()
    failed = {
        case: (result["behavior"], result["behaviorClose"])
        for case, result in cases.items()
        if not {result["behavior"], result["behaviorClose"]} <= GOOD
    }
    assert failed == {}
    assert len(cases) == CASES
