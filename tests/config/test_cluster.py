"""The names of nodes."""

import pytest

from chatd.config.errors import InvalidValue
from chatd.config.kinds import NodeName
from chatd.config.sections import ClusterConfig
from tests.rows import rows


@rows("name", ["", "a", "fra1", "0", "a" * 16])
def test_a_name_of_a_node(name: str) -> None:
    assert ClusterConfig(node=name).node == name


@rows("name", ["A", "a.b", "a-b", "a_b", "a" * 17, " a", "a\n", "é", "٣", 1, None, ["a"]])
def test_what_is_no_name_of_a_node(name: object) -> None:
    """It stands in URLs, and in patterns of proxies."""
    with pytest.raises(InvalidValue, match="1 to 16 lower-case letters and digits"):
        NodeName().structure(name)
