"""Which store a configuration names, and what is not asked of PostgreSQL."""

import subprocess
import sys
from pathlib import Path

import pytest

from chatd.app import logs
from chatd.app.errors import EXIT_CONFIG, StartFailedError
from chatd.config import StateConfig
from chatd.observe.clock import Clock
from chatd.store import Store
from tests.app.daemon import run_chatd  # type: ignore[attr-defined]

URL = "postgresql://chat:hunter2@127.0.0.1:1/app"
