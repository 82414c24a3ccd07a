"""URLs of servers."""

import pytest

from chatd.bench.address import Address, AddressError, parse_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8765", Address("127.0.0.1", 8765, False, "/socket.io/")),
        ("https://chat.example/", Address("chat.example", 443, True, "/socket.io/")),
        ("ws://h", Address("h", 80, False, "/socket.io/")),
        ("wss://h:1/own/path", Address("h", 1, True, "/own/path/")),
        ("http://[::1]:9/x/", Address("::1", 9, False, "/x/")),
    ],
)
def test_a_url_names_a_server(url: str, address: Address) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize("url", ["", "localhost:8765", "ftp://h", "http://", "http://h:x", "//h"])
def test_what_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(AddressError, match="URL"):
        parse_address(url)


def test_an_address_makes_what_requests_need() -> None:
    address = Address("::1", 9, True, "/x/")
    assert address.authority == "[::1]:9"
    assert address.origin == "https://[::1]:9"
    assert address.target("polling", "abc") == "/x/?EIO=4&transport=polling&sid=abc"
