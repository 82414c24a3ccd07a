from chatd.answers.cache import Cache
from chatd.answers.cut import WHOLE
from chatd.answers.table import Column

COLUMNS = (Column("n"),)


def put(cache: Cache, room: str, key: str, rows: list[list[int]], now_s: float = 0.0) -> None:
    cache.put(room, key, COLUMNS, rows, cut=WHOLE, now_s=now_s)


def test_a_result_is_good_for_its_time_and_no_longer() -> None:
    cache = Cache(30)
    put(cache, "demo", "q", [[1]], now_s=100)
    found = cache.get("demo", "q", 129.9)
    assert found is not None
    assert (found.columns, found.rows, found.cut) == (COLUMNS, ([1],), WHOLE)
    assert cache.get("demo", "q", 130) is None
    assert len(cache) == 0


def test_rooms_share_nothing() -> None:
    cache = Cache(30)
    put(cache, "demo", "q", [[1]])
    assert cache.get("sales", "q", 0) is None


def test_a_write_empties_its_room_and_no_other() -> None:
    cache = Cache(30)
    for room in ("demo", "sales"):
        put(cache, room, "q", [[1]])
        put(cache, room, "p", [[2]])
    cache.forget_room("demo")
    assert cache.get("demo", "q", 0) is None
    assert cache.get("demo", "p", 0) is None
    assert cache.get("sales", "q", 0) is not None


def test_the_longest_unused_goes_first() -> None:
    cache = Cache(30, results_max=2)
    put(cache, "demo", "a", [[1]])
    put(cache, "demo", "b", [[2]])
    assert cache.get("demo", "a", 0) is not None
    put(cache, "demo", "c", [[3]])
    assert cache.get("demo", "b", 0) is None
    assert cache.get("demo", "a", 0) is not None


def test_bytes_are_bounded_together_and_one_by_one() -> None:
    cache = Cache(30, bytes_max=20)
    put(cache, "demo", "a", [[1]] * 3)
    put(cache, "demo", "b", [[2]] * 3)
    assert len(cache) == 1
    put(cache, "demo", "c", [[3]] * 30)
    assert cache.get("demo", "c", 0) is None
    assert cache.get("demo", "b", 0) is not None
    put(cache, "demo", "b", [[4]])
    put(cache, "demo", "a", [[1]])
    assert len(cache) == 2


def test_without_time_nothing_is_kept() -> None:
    cache = Cache(0)
    put(cache, "demo", "q", [[1]])
    assert cache.get("demo", "q", 0) is None
