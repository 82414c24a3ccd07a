"""`chatd bench` as a person types it."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chatd.bench.plots import MISSING
from chatd.bench.results import from_json
from chatd.cli.commands import main
from tests.bench.conftest import COMES_WHOLE_S, SECRET, Served

SMALL = ("--seconds", "0.4", "--connections", "2", "--patience", "0.5")
COMES_WHOLE = ("--patience", str(COMES_WHOLE_S))
PLAIN = ("--room", "r", "--join", '["join","%r"]', "--payload", '{"text":"%m"}')


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["bench", *arguments], env={"CHATD_AUTH__JWT_SECRET": None})


def test_a_good_run_ends_with_0_a_table_and_a_document(chatd: Served, tmp_path: Path) -> None:
    document = tmp_path / "run.json"
    done = bench(
        "messages",
        chatd.url,
        *SMALL,
        *COMES_WHOLE,
        "--loads",
        "40,50",
        "--secret",
        SECRET,
        "--json",
        str(document),
    )
    assert done.exit_code == 0, done.output
    table, _, _notes = done.stdout.partition("\n\n")  # as of a generator that was too slow
    assert [line.split()[0] for line in table.splitlines()] == ["what"] + 2 * ["ack", "delivery"]
    results = from_json(document.read_bytes())
    assert (results.scenario, results.target.url) == ("messages", chatd.url)
    assert results.options["loads"] == [40, 50]


def test_a_run_that_lost_something_ends_with_1_and_says_what(faulty: Served) -> None:
    done = bench("messages", faulty.url, *SMALL, *PLAIN, "--event", "lose", "--loads", "50")
    assert done.exit_code == 1
    assert " lost" in done.stdout


def test_why_something_failed_stands_below_the_table(faulty: Served) -> None:
    done = bench("messages", faulty.url, *SMALL, *PLAIN, "--event", "hang_up", "--loads", "50")
    assert done.exit_code == 1
    assert "2 x the server" in done.stdout


def test_a_run_that_cannot_begin_ends_with_1_and_a_sentence() -> None:
    done = bench("echo", "http://127.0.0.1:1", "--event", "x")
    assert done.exit_code == 1
    assert done.stderr.startswith("chatd: No client could connect to http://127.0.0.1:1: ")
    done = bench("messages", "http://127.0.0.1:1")
    assert done.exit_code == 1
    assert done.stderr.startswith("chatd: Nothing answers at http://127.0.0.1:1: ")


@pytest.mark.parametrize("place", ["http://127.0.0.1:1/", "http://h:port/", "x", "unix:/none"])
def test_metrics_that_do_not_come_are_said_before_the_run(faulty: Served, place: str) -> None:
    done = bench("echo", faulty.url, *SMALL, "--event", "msg", "--metrics", place)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"chatd: {place} has no figures of a server: ")
    assert done.stdout == ""


def test_a_document_that_cannot_be_written_is_said(faulty: Served, tmp_path: Path) -> None:
    place = str(tmp_path / "missing" / "run.json")
    done = bench("echo", faulty.url, *SMALL, "--event", "msg", "--loads", "50", "--json", place)
    assert done.exit_code == 1
    assert "cannot be written" in done.stderr
    assert done.stdout == "", "it is said before the run, not after it"


def test_a_run_that_fails_leaves_a_document_as_it_was(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text("kept")
    for document in (old, new):
        assert bench("messages", "http://127.0.0.1:1", "--json", str(document)).exit_code == 1
    assert old.read_text() == "kept"
    assert not new.exists()


def test_a_run_is_drawn_as_soon_as_it_has_ended(faulty: Served, tmp_path: Path) -> None:
    plots = tmp_path / "new" / "plots"
    echo = ("echo", faulty.url, *SMALL, *COMES_WHOLE, "--event", "msg", "--plot", str(plots))
    done = bench(*echo, "--loads", "40,50")
    assert done.exit_code == 0, done.output
    assert {"echo-latency.svg", "echo-latency.png"} <= {path.name for path in plots.iterdir()}
    assert done.stdout.split()[-1] in map(str, plots.iterdir())
    done = bench(*echo, "--loads", "50")
    assert done.exit_code == 0
    assert "warning: Nothing is drawn: no run has more than one load" in done.stderr


def test_what_cannot_be_drawn_is_said_before_the_run(
    faulty: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    echo = ("echo", faulty.url, *SMALL, "--event", "msg", "--plot")
    done = bench(*echo, str(taken / "below"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.endswith("cannot be written to: Not a directory.\n")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = bench(*echo, str(tmp_path / "plots"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"chatd: {MISSING}\n"


def test_tokens_come_from_a_file(chatd: Served, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("bad\n")
    done = bench("idle", chatd.url, *SMALL, "--token-file", str(tokens))
    assert done.exit_code == 1
    assert "refused: " in done.stderr
    tokens.write_text("\n")
    assert bench("idle", chatd.url, "--token-file", str(tokens)).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("idle", "localhost:8765"),
        ("idle", "--loads", "much"),
        ("idle", "--loads", "0"),
        ("idle", "--loads", "inf"),
        ("idle", "--seconds", "0"),
        ("idle", "--processes", "0"),
        ("messages", "--event", "x"),
        ("messages", "--pid", "1"),
        ("messages", "http://h", "--pid", "4194305"),  # beyond any process id
        ("idle", "--loads", "0.5"),
        ("idle", "--loads", "100001"),
        ("answers", "--loads", "1.5"),
        ("messages", "--loads", "1e9"),
        ("messages", "http://h", "--payload", "1"),
        ("messages", "http://h", "--event", "x", "--payload", "1"),
        ("echo", "http://h", "--event", "x", "--payload", "{"),
        ("echo", "http://h", "--event", "x", "--join", "{}"),
        ("echo", "http://h", "--auth", "[]"),
        ("echo", "http://h", "--auth", "{"),
    ],
)
def test_a_wrong_command_line_ends_with_2(arguments: tuple[str, ...]) -> None:
    done = bench(*arguments)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
