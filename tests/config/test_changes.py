"""What a running daemon takes over of a configuration, and what waits for its next start."""

from chatd.config import Config, LimitsConfig, ServerConfig, changed, is_reloaded, reloaded


def test_nothing_is_both_taken_over_and_left_to_a_restart() -> None:
    before = Config()
    after = Config(
        server=ServerConfig(port=1, origins=("https://app.example",)),
        limits=LimitsConfig(rooms_per_socket=5),
        databases={},
    )
    mixed = reloaded(before, after)
    assert changed(before, after) == (
        "server.port",
        "server.origins",
        "limits.rooms_per_socket",
        "databases.demo",
    )
    assert changed(before, mixed) == tuple(filter(is_reloaded, changed(before, after)))
    assert changed(mixed, after) == ("server.port",)
    assert changed(after, after) == ()
