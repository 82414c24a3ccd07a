"""`chatd config check --databases` as a command: a line for each database, and an exit code."""

import pytest

from tests.app.daemon import House

pytestmark = pytest.mark.answers


async def test_without_configuration_the_sample_is_asked(house: House) -> None:
    done = await house.run("config", "check", "--databases")
    assert done.code == 0, done.err
    _, line, tables = done.out.splitlines()
    assert line == "databases.demo: fine: 8 tables, opened to read only."
    assert {"orders", "customers"} <= set(tables.strip().split(", "))
    assert not house.state_dir.exists()


async def test_a_database_that_cannot_be_asked_is_told_beside_one_that_can(house: House) -> None:
    house.config(
        """
        [databases.demo]
        sample = true
        [databases.sales]
        command = ["/bin/sh", "-c", "echo no route to $DSN >&2; exit 1"]
        environment = { DSN = "mysql://reader:secret@db" }
        dialect = "mysql"
        mapping = "mcp-alchemy"
        credentials = "read-only"
        """
    )
    done = await house.run("config", "check", "--databases")
    assert done.code == 78
    _, demo, _tables, *sales = done.out.splitlines()
    assert demo.startswith("databases.demo: fine")
    assert sales == [
        "databases.sales: The server of this database cannot be asked: the process ended.",
        "    Its standard error ends with:",
        "        no route to ***",
    ]
