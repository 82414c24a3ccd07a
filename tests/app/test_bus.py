"""The bus that the configuration names: what is found of it without a connection, and with one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatd.app.bus import check_bus, place_of_bus
from chatd.app.deep.bus import look_at_bus
from chatd.app.deep.check import Verdict
from chatd.app.errors import StartFailedError
from chatd.config import Config, ConfigError, load
from chatd.config.sections import BusConfig, ClusterConfig
from tests.app.deep.surroundings import here
from tests.postgres import Postgres
from tests.redis import Redis, a_redis
from tests.rows import rows

PASSWORD = "hunter2-of-the-bus"
REDIS = f"redis://:{PASSWORD}@127.0.0.1:1"
POSTGRES = f"postgresql://ada:{PASSWORD}@127.0.0.1:1/none"


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with a_redis() as server:
        yield server


def with_bus(url: str) -> Config:
    return Config(cluster=ClusterConfig(node="a"), bus=BusConfig(url=url))


def without_module(monkeypatch: pytest.MonkeyPatch, name: str, *ours: str) -> None:
    for module in ours:
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, name, None)


def test_without_hiredis_the_daemon_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without_module(
        monkeypatch,
        "hiredis",
        *("chatd.bus.redis_bus", "chatd.bus.redis_connection", "chatd.bus.resp"),
    )
    check_bus(Config())
    with pytest.raises(StartFailedError, match=r'pip install "\.\[redis\]"') as raised:
        check_bus(with_bus(REDIS))
    assert raised.value.exit_code == 78


def test_without_psycopg_the_daemon_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without_module(
        monkeypatch,
        "psycopg",
        *(name for name in sys.modules if name.startswith("chatd.postgres_client")),
    )
    with pytest.raises(StartFailedError, match=r'pip install "\.\[postgres\]"'):
        check_bus(with_bus(POSTGRES))


def test_an_address_of_postgresql_that_cannot_be_read_is_told_without_its_password() -> None:
    with pytest.raises(StartFailedError) as raised:
        check_bus(with_bus(f"postgresql://ada:{PASSWORD}@[::1/none"))
    assert str(raised.value).startswith("bus.url: ")
    assert PASSWORD not in str(raised.value)


@rows(
    "url",
    [
        *(REDIS.replace("redis:", "http:"), f"{REDIS}/x", f"{REDIS}?a=b", "cache:6379", "redis://"),
        REDIS.replace("127", "\n127"),
    ],
)
def test_an_address_that_is_no_bus_is_a_mistake_of_the_file(url: str, tmp_path: Path) -> None:
    file = tmp_path / "chatd.toml"
    file.write_text(f'[cluster]\nnode = "a"\n[bus]\nurl = """{url}"""\n')
    with pytest.raises(ConfigError) as raised:
        load(file, {}, {}, tmp_path)
    assert "bus.url must be" in str(raised.value)
    assert "the address of a Redis" in str(raised.value)
    assert PASSWORD not in str(raised.value)


def test_nodes_on_a_bus_share_a_log(tmp_path: Path) -> None:
    file = tmp_path / "chatd.toml"
    bus = f'[cluster]\nnode = "a"\n[bus]\nurl = "{REDIS}"\n'
    file.write_text(bus)
    with pytest.raises(ConfigError, match=r"state\.url"):
        load(file, {}, {}, tmp_path)
    file.write_text(f'{bus}[state]\nurl = "postgresql://host/db"\n')
    assert load(file, {}, {}, tmp_path).config.bus.url == REDIS


def test_a_node_without_a_name_has_no_bus(tmp_path: Path) -> None:
    file = tmp_path / "chatd.toml"
    file.write_text(f'[bus]\nurl = "{REDIS}"\n')
    with pytest.raises(ConfigError, match=r"cluster\.node") as raised:
        load(file, {}, {}, tmp_path)
    assert PASSWORD not in str(raised.value)
    file.write_text('[cluster]\nnode = "a"\n')
    assert load(file, {}, {}, tmp_path).config.cluster.node == "a"


@rows(
    ("url", "place"),
    [
        pytest.param("", "", id="none"),
        pytest.param(REDIS, "redis://127.0.0.1:1/0", id="redis"),
        pytest.param(
            f"rediss://ada:{PASSWORD}@one.example/3", "redis://one.example:6379/3", id="tls"
        ),
        pytest.param(
            f"unix://:{PASSWORD}@/run/redis.sock", "unix:///run/redis.sock?db=0", id="socket"
        ),
        pytest.param(POSTGRES, "postgresql://127.0.0.1:1/none", id="postgresql"),
        pytest.param(
            f"host=one.example dbname=chat user=ada password={PASSWORD}",
            "postgresql://one.example:5432/chat",
            id="as libpq writes it",
        ),
    ],
)
def test_a_place_of_a_bus_is_its_address_without_who_comes(url: str, place: str) -> None:
    assert place_of_bus(url) == place


async def test_a_bus_is_tried(tmp_path: Path, redis: Redis, postgres: Postgres) -> None:
    assert await look_at_bus(here(tmp_path)) is None
    for url in (redis.url(), postgres.url("postgres", "postgres")):
        found = await look_at_bus(here(tmp_path, bus=BusConfig(url=url)))
        assert found is not None
        assert found.verdict is Verdict.FINE
    for url in (REDIS, POSTGRES):
        found = await look_at_bus(here(tmp_path, bus=BusConfig(url=url)))
        assert found is not None
        assert (found.verdict, found.exit_code) == (Verdict.WRONG, 1)
        assert PASSWORD not in found.sentence
