"""Addresses of Redis."""

import pytest

from chatd.bus.redis_address import MisreadAddress, RedisAddress
from tests.rows import rows


@rows(
    ("url", "address"),
    [
        ("redis://cache", RedisAddress("cache")),
        ("redis://cache:6380/3", RedisAddress("cache", 6380, database=3)),
        ("redis://[::1]:1/", RedisAddress("::1", 1)),
        ("redis://:secret@cache", RedisAddress("cache", password="secret")),
        (
            "rediss://chatd:p%40ss%2F%3A%23@cache.example:6379/0",
            RedisAddress("cache.example", is_tls=True, user="chatd", password="p@ss/:#"),
        ),
        (
            "rediss://cache?ssl_ca_certs=/etc/ssl/own.pem",
            RedisAddress("cache", is_tls=True, ca_file="/etc/ssl/own.pem"),
        ),
        ("unix:///run/redis/redis.sock", RedisAddress(path="/run/redis/redis.sock")),
        (
            "unix://chatd:secret@/run/redis.sock?db=2",
            RedisAddress(path="/run/redis.sock", user="chatd", password="secret", database=2),
        ),
    ],
)
def test_an_address_is_read(url: str, address: RedisAddress) -> None:
    assert RedisAddress.read(url) == address


@rows(
    "url",
    [
        "",
        "cache:6379",
        "http://u:hunter2@cache",
        "redis://",
        "redis://:hunter2@",
        "redis://:hunter2@cache:99999",
        "redis://:hunter2@cache:0",
        "redis://:hunter2@cache:port",
        "redis://:hun#ter2@cache",
        "redis://:hun/ter2@cache",
        "redis://:hun?ter2@cache",
        "redis://:hunter2@cache/x",
        "redis://:hunter2@cache/-1",
        "redis://:hunter2@cache/99999999999",
        "redis://:hunter2@cache/²",
        "redis://hunter2@cache",
        "redis://:hunter2@cache?ssl_cert_reqs=none",
        "redis://:hunter2@cache?ssl_ca_certs=/x",
        "redis://:hunter2@[::1",
        "unix://host/run/redis.sock?password=hunter2",
        "unix://:hunter2@?db=1",
    ],
)
def test_an_address_that_is_none_is_told_without_its_secret(url: str) -> None:
    with pytest.raises(MisreadAddress) as raised:
        RedisAddress.read(url)
    told = str(raised.value)
    assert "ter2" not in told
    assert told.startswith("The address of Redis is not understood: ")
    assert told.endswith(".")


def test_a_password_is_not_shown() -> None:
    address = RedisAddress.read("redis://chatd:hunter2@cache:1")
    assert "hunter2" not in repr(address)
    assert address.place == "cache:1"
