"""Rows that are kept as JSON come back as they were, and take little memory meanwhile."""

import tracemalloc

import orjson
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.packed_rows import BLOCK_BYTES, PackedRows
from chatd.answers.stored_table import StoredTable

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.builds(lambda text: {"$bytes": text}, st.text()),
)


@given(st.lists(st.lists(CELLS, max_size=4), max_size=30))
def test_rows_come_back_as_they_were_each_time(rows: list[list[object]]) -> None:
    packed = PackedRows.of(rows)  # type: ignore[arg-type]
    assert len(packed) == len(rows)
    assert list(packed) == rows
    assert [row for block in packed.blocks() for row in block] == rows


def test_few_rows_are_objects_at_a_time() -> None:
    long = "x" * (BLOCK_BYTES + 1)
    rows = [["y" * 1_000], [long], *[["z" * 1_000]] * 20]
    packed = PackedRows.of(rows)
    blocks = list(packed.blocks())
    assert blocks[:2] == [rows[:1], rows[1:2]]
    assert max(len(orjson.dumps(block)) for block in blocks[2:]) <= BLOCK_BYTES + 10
    assert packed.size_bytes == sum(len(orjson.dumps(block)) for block in blocks)


def test_a_table_that_is_kept_takes_about_as_much_memory_as_its_json() -> None:
    columns = [{"name": f"c{number}", "type": None} for number in range(50)]
    rows = [["ab"] * 50 for _ in range(1_000)]
    answer = orjson.dumps({"state": "done", "columns": columns, "rows": rows, "truncated": False})
    StoredTable.of(answer)  # what is made once is there
    tracemalloc.start()
    try:
        table = StoredTable.of(answer)
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(table.rows) == 1_000
    assert kept_bytes < 1.2 * len(answer)
