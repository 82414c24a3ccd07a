from chatd.bus.topics import Topics
from tests.bus.listeners import Notes


def test_each_listener_hears_the_topics_of_its_letter() -> None:
    topics, rooms, signals = Topics(), Notes(), Notes()
    topics.add("r", rooms)
    topics.add("v", signals)
    topics.heard("r:sales", b"1")
    topics.heard("v:", b"2")
    topics.heard("x:sales", b"3")
    assert rooms.heard_all == [("r:sales", b"1")]
    assert signals.heard_all == [("v:", b"2")]


def test_all_are_told_that_the_bus_is_up() -> None:
    topics, rooms, signals = Topics(), Notes(), Notes()
    topics.add("r", rooms)
    topics.add("v", signals)
    topics.came_up()
    assert (rooms.times_up, signals.times_up) == (1, 1)
