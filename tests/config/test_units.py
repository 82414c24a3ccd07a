"""Durations and sizes with a unit, in every layer."""

from pathlib import Path

import pytest

from chatd.config import ConfigError, load
from chatd.config.databases import DATABASES
from chatd.config.kinds import Bytes, Seconds
from chatd.config.sections import about, keys_of, sections
from tests.rows import rows

DURATION = (
    "server.drain_timeout_s must be a number of seconds from 0.001 to 1000000, or a text such as "
    '"10 s", "5 min" or "2 h", not '
)
UNITS = "server.drain_timeout_s must have one of the units ms, s, min, h, d"
SIZES = "server.max_payload_bytes must have one of the units B, kB, MB, GB, KiB, MiB, GiB"
SIZE = (
    "server.max_payload_bytes must be a whole number of bytes from 1 to 2147483647, or a text such "
    'as "64 KiB" or "1 MB", not '
)


def from_file(tmp_path: Path, key: str, value: str) -> float:
    (tmp_path / "chatd.toml").write_text(f"[server]\n{key} = {value}\n")
    config = load(None, {}, {}, tmp_path, places=[Path("chatd.toml")]).config
    return float(getattr(config.server, key))


def from_environment(tmp_path: Path, key: str, text: str) -> float:
    env = {f"CHATD_SERVER__{key.upper()}": text}
    return float(getattr(load(None, env, {}, tmp_path, places=()).config.server, key))


def refusal(tmp_path: Path, key: str, value: str) -> str:
    """What is told of a value, the same whether the file or the environment has it."""
    with pytest.raises(ConfigError) as in_file:
        from_file(tmp_path, key, value)
    with pytest.raises(ConfigError) as in_environment:
        from_environment(tmp_path, key, value.strip('"'))
    told = str(in_environment.value).removeprefix(
        f"environment variable CHATD_SERVER__{key.upper()}: "
    )
    assert str(in_file.value) == f"{tmp_path}/chatd.toml, line 2: {told}"
    return told


@rows(
    ("text", "seconds"),
    [
        ("10 s", 10.0),
        ("10s", 10.0),
        ("5 min", 300.0),
        ("2 h", 7200.0),
        ("1.5 h", 5400.0),
        ("1 d", 86_400.0),
        ("100 ms", 0.1),
        ("0.1 s", 0.1),
        ("1000000 s", 1_000_000.0),
    ],
)
def test_a_duration_has_a_unit(tmp_path: Path, text: str, seconds: float) -> None:
    for written in (f'"{text}"', f"'{text}'"):
        assert from_file(tmp_path, "drain_timeout_s", written) == seconds
        assert from_environment(tmp_path, "drain_timeout_s", written) == seconds
    assert from_environment(tmp_path, "drain_timeout_s", text) == seconds
    assert from_environment(tmp_path, "drain_timeout_s", f" {text}\t") == seconds


@rows(
    ("text", "size"),
    [
        ("512 B", 512),
        ("64 KiB", 65_536),
        ("64 kB", 64_000),
        ("1 MB", 1_000_000),
        ("1MiB", 1_048_576),
        ("1.5 MiB", 1_572_864),
        ("0.5 KiB", 512),
        ("1 GiB", 1 << 30),
        ("2 GB", 2_000_000_000),
    ],
)
def test_a_size_has_a_unit(tmp_path: Path, text: str, size: int) -> None:
    assert from_file(tmp_path, "max_payload_bytes", f'"{text}"') == size
    assert from_environment(tmp_path, "max_payload_bytes", text) == size


def test_plain_numbers_are_seconds_and_bytes(tmp_path: Path) -> None:
    for written, seconds in (("7", 7.0), ("0.25", 0.25), ("1e3", 1000.0), ("0x10", 16.0)):
        assert from_file(tmp_path, "drain_timeout_s", written) == seconds
        assert from_environment(tmp_path, "drain_timeout_s", written) == seconds
    assert from_file(tmp_path, "max_payload_bytes", "1_000") == 1000


@rows(
    ("value", "told"),
    [
        ('"5m"', 'server.drain_timeout_s = "5m" could be minutes or months; write "5 min".'),
        ('"5 M"', 'server.drain_timeout_s = "5 M" could be minutes or months; write "5 min".'),
        (
            '"5 weeks"',
            'server.drain_timeout_s must have one of the units ms, s, min, h, d, not "weeks".',
        ),
        (
            '"5 KiB"',
            'server.drain_timeout_s must have one of the units ms, s, min, h, d, not "KiB".',
        ),
        ('"-5 s"', f'{DURATION}the text "-5 s".'),
        ('"+5 s"', f'{DURATION}the text "+5 s".'),
        ('"0 s"', f'{DURATION}the text "0 s".'),
        ('"0.5 ms"', f'{DURATION}the text "0.5 ms".'),
        ('"s"', f'{DURATION}the text "s".'),
        ('"1 h 30 min"', f'{DURATION}the text "1 h 30 min".'),
        ('"1,5 h"', f'{DURATION}the text "1,5 h".'),
        ('"1e3 s"', f'{DURATION}the text "1e3 s".'),
        ('"1e400 s"', f'{DURATION}the text "1e400 s".'),
        ('"inf s"', f'{DURATION}the text "inf s".'),
        ('"nan s"', f'{DURATION}the text "nan s".'),
        ('"1000000.1 s"', f'{DURATION}the text "1000000.1 s".'),
        ('"999999999999999999 h"', f'{DURATION}the text "999999999999999999 h".'),
        ('"٣ s"', f'{DURATION}the text "\\u0663 s".'),
        ("nan", f"{DURATION}nan."),
        ("inf", f"{DURATION}inf."),
        ("-inf", f"{DURATION}-inf."),
        ("1e400", f"{DURATION}inf."),
        ("-1", f"{DURATION}-1."),
        ("true", f"{DURATION}true."),
        ("[10]", f"{DURATION}a list."),
        ("07:32:00", f"{DURATION}a time."),
    ],
)
def test_what_is_no_duration_is_told_in_one_sentence(tmp_path: Path, value: str, told: str) -> None:
    assert refusal(tmp_path, "drain_timeout_s", value) == told


def _either(written: str, decimal: str, binary: str) -> str:
    return (
        f'server.max_payload_bytes = "{written}" could be powers of 1000 or of 1024; '
        f'write "{decimal}" or "{binary}".'
    )


@rows(
    ("value", "told"),
    [
        ('"64K"', _either("64K", "64 kB", "64 KiB")),
        ('"64 KB"', _either("64 KB", "64 kB", "64 KiB")),
        ('"1 M"', _either("1 M", "1 MB", "1 MiB")),
        ('"1 gb"', _either("1 gb", "1 GB", "1 GiB")),
        ('"8 b"', 'server.max_payload_bytes = "8 b" could be bits or bytes; write "8 B".'),
        ('"1 s"', f'{SIZES}, not "s".'),
        ('"0.3 KiB"', f'{SIZE}the text "0.3 KiB".'),
        ('"2 GiB"', f'{SIZE}the text "2 GiB".'),
        ('"-1 MB"', f'{SIZE}the text "-1 MB".'),
        ("1.0", f"{SIZE}1.0."),
        ("nan", f"{SIZE}nan."),
        ("1e400", f"{SIZE}inf."),
        ("true", f"{SIZE}true."),
    ],
)
def test_what_is_no_size_is_told_in_one_sentence(tmp_path: Path, value: str, told: str) -> None:
    assert refusal(tmp_path, "max_payload_bytes", value) == told


@pytest.mark.parametrize("key", ["drain_timeout_s", "max_payload_bytes"])
def test_a_number_in_quotes_without_a_unit_is_a_mistake(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=', not the text "10"'):
        from_file(tmp_path, key, '"10"')


def test_keys_of_databases_have_units_too(tmp_path: Path) -> None:
    (tmp_path / "chatd.toml").write_text(
        "[databases.shop]\nsqlite = '/a.db'\ncall_timeout_s = '2 min'\n"
        "max_message_bytes = '512 KiB'\n"
    )
    shop = load(None, {}, {}, tmp_path, places=[Path("chatd.toml")]).config.databases["shop"]
    assert (shop.call_timeout_s, shop.max_message_bytes) == (120.0, 524_288)


def test_every_key_in_seconds_or_bytes_takes_a_unit() -> None:
    kinds = {
        f"{name}.{key}": about(field).kind
        for name, section in sections().items()
        for key, field in keys_of(section).items()
    }
    kinds |= {f"databases.{key}": kind for key, kind in DATABASES.table.keys.items()}
    for end, expected in (("_s", Seconds), ("_bytes", Bytes)):
        assert {key for key in kinds if key.endswith(end)} == {
            key for key, kind in kinds.items() if isinstance(kind, expected)
        }
