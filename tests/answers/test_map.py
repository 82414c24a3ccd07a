"""The docstrings of the packages are maps: each module stands in that of its package."""

from pathlib import Path

import chatd.answers
from tests.rows import rows

ANSWERS = Path(chatd.answers.__file__).parent


@rows("package", [ANSWERS, ANSWERS / "sql", ANSWERS / "sql" / "remarks", ANSWERS / "mcp"])
def test_each_module_stands_in_the_docstring_of_its_package(package: Path) -> None:
    told = (package / "__init__.py").read_text("utf-8")
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    assert {name for name in modules if f"`{name}`" not in told} == set()
