"""How much of the page is loaded before it shows something, before it shows a room, and in all.

What counts is what goes over the wire: the files that the build has coded with gzip. "First" is
the document, its style, its script and whatever that imports at once; the parts of a room are read
beside the connection. Bundles for pages of others, and the service worker, are no part of it.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

DIST: Final = Path(__file__).parents[2] / "chatd" / "web" / "dist"

FIRST_MAX: Final = 150_000
ROOM_MAX: Final = 180_000
ALL_MAX: Final = 280_000

ROOM_PARTS: Final = "roomParts-"
"""The file that `src/components/LazyParts.tsx` reads at once, beside the connection."""

_LINKED: Final = re.compile(r'<(?:script|link)[^>]+(?:src|href)="\./(assets/[^"]+\.(?:js|css))"')
_IMPORTED: Final = re.compile(r'(?:\bfrom|\bimport)\s*"\./([^"]+\.js)"')
"""A static import of the built code; one that is made later has brackets."""


def test_the_first_load_is_within_its_bound() -> None:
    first = first_load()
    assert weight(first) <= FIRST_MAX, table(first, FIRST_MAX)


def test_what_shows_a_room_is_within_its_bound() -> None:
    (parts,) = (file for file in scripts() if file.name.startswith(ROOM_PARTS))
    shown = first_load() | with_imports(parts)
    assert shown > first_load(), "the parts of a room belong to the first load again"
    assert weight(shown) <= ROOM_MAX, table(shown, ROOM_MAX)


def test_the_whole_page_is_within_its_bound() -> None:
    everything = {DIST / "index.html", *scripts(), *DIST.glob("assets/*.css")}
    assert first_load() < everything
    assert weight(everything) <= ALL_MAX, table(everything, ALL_MAX)


@pytest.mark.parametrize("package", ["CLIENT", "DOM"])
def test_there_is_one_copy_of_react(package: str) -> None:
    inside = f"__{package}_INTERNALS_DO_NOT_USE_OR_WARN_USERS_THEY_CANNOT_UPGRADE="
    assert sum(file.read_text().count(inside) for file in scripts()) == 1


def scripts() -> set[Path]:
    return set(DIST.glob("assets/*.js"))


def first_load() -> set[Path]:
    """What the browser loads before the first line of the page's own code runs."""
    document = DIST / "index.html"
    if not document.exists():
        pytest.fail("the page is not built; run: python chatd/web/build_hook.py", pytrace=False)
    linked = [DIST / name for name in _LINKED.findall(document.read_text())]
    assert any(file.suffix == ".js" for file in linked), "the document has no script"
    return {document}.union(*map(with_imports, linked))


def with_imports(file: Path) -> set[Path]:
    """A file, and what it cannot do without."""
    found = {file}
    waiting = [file]
    while waiting:
        importer = waiting.pop()
        if importer.suffix != ".js":
            continue
        for name in _IMPORTED.findall(importer.read_text()):
            imported = importer.parent / name
            if imported not in found:
                found.add(imported)
                waiting.append(imported)
    return found


def coded(file: Path) -> int:
    """The bytes of a file as it is sent; one that is not worth coding is sent as it is."""
    zipped = file.with_name(f"{file.name}.gz")
    return (zipped if zipped.exists() else file).stat().st_size


def weight(files: Iterable[Path]) -> int:
    return sum(map(coded, files))


def table(files: Iterable[Path], bound: int) -> str:
    """What makes the weight, the heaviest first."""
    lines = [f"{coded(file):>9,}  {file.name}" for file in sorted(files, key=coded, reverse=True)]
    return "\n".join([*lines, f"{weight(files):>9,}  in all, of at most {bound:,}"])
