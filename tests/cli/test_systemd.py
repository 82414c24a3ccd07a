"""`chatd systemd`: units that systemd takes, that are strict, and that name this installation."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chatd.cli import systemd
from chatd.cli.commands import main
from chatd.cli.systemd import UNITS
from chatd.config import Config
from tests.rows import rows

EXPOSURE_MAX = "20"  # tenths of systemd's score
LOOK_S = 120


@pytest.fixture(autouse=True)
def _installed_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests may run below a home, which the units hide."""
    monkeypatch.setattr(systemd, "HIDDEN", ("/nowhere",))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["systemd", *arguments])


def install(directory: Path, *more: str) -> Result:
    return run("install", "--directory", str(directory), *more)


def setting(text: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


@pytest.fixture
def units(tmp_path: Path) -> dict[str, str]:
    directory = tmp_path / "units"
    directory.mkdir()
    done = install(directory)
    assert done.exit_code == 0, done.output
    return {name: (directory / name).read_text() for name in UNITS}


def test_the_units_name_this_installation(units: dict[str, str]) -> None:
    service = units["chatd.service"]
    chatd = " ".join(systemd.program())
    assert setting(service, "ExecStart") == [f"{chatd} serve"]
    assert setting(service, "ExecReload") == ["kill -HUP $MAINPID"]
    assert setting(units["chatd.socket"], "ListenStream") == ["127.0.0.1:8765"]
    asked = subprocess.run(
        [*systemd.program(), "--version"], capture_output=True, check=True, timeout=LOOK_S
    )
    assert b"chatd" in asked.stdout
    shown = run("print")
    assert shown.exit_code == 0
    assert all(text.rstrip() in shown.output for text in units.values())


def test_an_end_in_order_fits_into_the_time_that_the_unit_gives(units: dict[str, str]) -> None:
    [stop_s] = setting(units["chatd.service"], "TimeoutStopSec")
    assert int(stop_s) > Config().server.drain_timeout_s + 5


def test_systemd_takes_the_units(tmp_path: Path, units: dict[str, str]) -> None:
    paths = [str(tmp_path / "units" / name) for name in units]
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths],
        capture_output=True,
        text=True,
        timeout=LOOK_S,
        check=False,
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


def test_the_unit_is_strict(tmp_path: Path, units: dict[str, str]) -> None:
    path = str(tmp_path / "units" / "chatd.service")
    scored = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", path],
        capture_output=True,
        text=True,
        timeout=LOOK_S,
        check=False,
    )
    assert scored.returncode == 0, scored.stdout + scored.stderr
    assert "Overall exposure level" in scored.stdout


@rows(
    ("server", "address"),
    [
        ("port = 9000", "127.0.0.1:9000"),
        ('host = "0.0.0.0"', "0.0.0.0:8765"),
        ('host = "::"', "[::]:8765"),
        ('host = "*"', "[::]:8765"),
        ('host = "[::1]"', "[::1]:8765"),
        ('host = "localhost"', "127.0.0.1:8765"),
        ('host = "192.0.2.7"\nport = 80', "192.0.2.7:80"),
    ],
)
def test_the_socket_listens_where_the_configuration_says(
    tmp_path: Path, server: str, address: str
) -> None:
    path = tmp_path / "chatd.toml"
    path.write_text(f"[server]\n{server}\n")
    shown = run("print", "--config", str(path))
    assert setting(shown.output, "ListenStream") == [address]
    assert setting(shown.output, "ExecStart")[0].endswith(f" serve --config {path}")


@rows(
    ("server", "sentence"),
    [
        ('host = "chat.example"', "systemd takes only addresses"),
        ("port = 0", "server.port is 0"),
        ("port = 99999", "server.port"),
    ],
)
def test_an_address_that_no_unit_can_have_is_a_sentence(
    tmp_path: Path, server: str, sentence: str
) -> None:
    path = tmp_path / "chatd.toml"
    path.write_text(f"[server]\n{server}\n")
    refused = install(tmp_path, "--config", str(path))
    assert refused.exit_code == 78
    assert sentence in refused.output
    assert not any((tmp_path / name).exists() for name in UNITS)


def test_an_installation_says_what_to_type_next_and_replaces_nothing_unasked(
    tmp_path: Path,
) -> None:
    first = install(tmp_path)
    service = tmp_path / "chatd.service"
    assert f"Written: {service}" in first.output
    assert "systemctl enable --now chatd.socket chatd.service" in first.output
    assert service.stat().st_mode & 0o777 == 0o644
    assert f"As it is: {service}" in install(tmp_path).output
    changed = service.read_text() + "# mine\n"
    service.write_text(changed)
    (tmp_path / "chatd.socket").unlink()
    refused = install(tmp_path)
    assert refused.exit_code == 1
    assert f"{service} would be replaced, and nothing was written" in refused.output
    assert service.read_text() == changed
    assert not (tmp_path / "chatd.socket").exists()
    forced = install(tmp_path, "--force")
    assert f"Replaced: {service}" in forced.output
    assert service.read_text() != changed
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(UNITS)


def test_a_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    refused = install(tmp_path / "nowhere")
    assert refused.exit_code == 1
    assert "cannot be written: No such file or directory" in refused.output


def test_an_installation_that_the_unit_would_hide_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "HIDDEN", (str(Path(systemd.program()[0]).parents[1]),))
    refused = install(tmp_path)
    assert refused.exit_code == 1
    assert "which the unit hides from the daemon" in refused.output
    assert not any(tmp_path.iterdir())


def test_words_of_a_command_reach_systemd_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd-analyze looks for the program: it must read the path that was meant."""
    program = tmp_path / "a path with 100% of $HOME"
    program.symlink_to(sys.executable)
    monkeypatch.setattr(systemd, "program", lambda: (str(program),))
    config = tmp_path / "50% of $HOME.toml"
    config.write_text("")
    directory = tmp_path / "units"
    directory.mkdir()
    assert install(directory, "--config", str(config)).exit_code == 0
    service = (directory / "chatd.service").read_text()
    written = str(config).replace("%", "%%").replace("$", "$$")
    assert setting(service, "ExecStart")[0].endswith(f' serve --config "{written}"')
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(directory / "chatd.service")],
        capture_output=True,
        text=True,
        timeout=LOOK_S,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    odd = tmp_path / "quotes'"
    odd.write_text("")
    refused = install(directory, "--config", str(odd))
    assert refused.exit_code == 1
    assert "systemd takes no path with quotes" in refused.output
