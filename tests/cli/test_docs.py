"""`chatd docs`, and that what the documents, the README and the code refer to is there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from chatd.cli.commands import main
from chatd.cli.docs import documents
from tests.page.picture import BYTES_MAX

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "chatd" / "docs"
TOPICS = {
    "administration",
    "answers",
    "architecture",
    "bench",
    "cluster",
    "configuration",
    "http",
    "operations",
    "page",
    "protocol",
}
SKIPPED = {"node_modules", "__pycache__", "dist", "dist-package"}  # and what begins with a dot

REFERENCE = re.compile(r'docs/([a-z]+)(?:\.md)?,\s+"([^"]+)"')
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED_FILE = re.compile(r"`((?:tests|chatd)/[\w/]+(?:\.\w+)*)`")
PACKAGES = sorted(path.parent.name for path in (ROOT / "chatd").glob("*/__init__.py"))
NAMED_MODULE = re.compile(rf"(?<![\w/.-])((?:{'|'.join(PACKAGES)})/\w+(?:/\w+)*)(?![\w/-])")
PAPERS = re.compile(r"\b(?:SPEC|DESIGN|WIRE)\b|\b(?:STYLE|CLUSTER|PAGE)(?:\.md|,? \d)")


def _texts() -> Iterator[tuple[str, str]]:
    """Each text file of the repository, by its path from the root."""
    tops = [ROOT / name for name in ("README.md", "chatd.toml", "pyproject.toml")]
    for path in (*tops, *(ROOT / "chatd").rglob("*"), *(ROOT / "tests").rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not any(part in SKIPPED or part[0] == "." for part in parts):
            try:
                yield "/".join(parts), path.read_text("utf-8")
            except UnicodeDecodeError:
                continue


def _written() -> list[Path]:
    return [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def _prose(text: str) -> str:
    """The text without its blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def _headings(text: str) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", _prose(text), re.MULTILINE))


def _anchor(heading: str) -> str:
    """The anchor that Markdown's renderers give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_topics_are_listed_with_a_line_each() -> None:
    shown = CliRunner().invoke(main, ["docs"])
    assert shown.exit_code == 0
    lines = dict(line.split(maxsplit=1) for line in shown.output.splitlines())
    assert lines.keys() == TOPICS | {"openapi"}
    assert all(line.endswith(".") and len(line) < 120 for line in lines.values())


def test_a_topic_is_printed_as_it_is_written() -> None:
    for topic in TOPICS:
        shown = CliRunner().invoke(main, ["docs", topic])
        assert shown.exit_code == 0
        assert shown.output == (DOCS / f"{topic}.md").read_text("utf-8")


def test_an_unknown_topic_is_told_with_those_that_there_are() -> None:
    shown = CliRunner().invoke(main, ["docs", "protocols"])
    assert shown.exit_code == 2
    (line,) = [line for line in shown.output.splitlines() if line.startswith("Error:")]
    assert line == (
        "Error: There is no document about 'protocols'; "
        f"the topics are {', '.join(sorted(TOPICS | {'openapi'}))}."
    )


def test_the_code_refers_to_sections_that_there_are() -> None:
    known = {topic: _headings(text) for topic, text in documents().items()}
    missing = [
        f"{path}: docs/{topic}, {section!r}"
        for path, text in _texts()
        if path.endswith(".py") and path != "tests/cli/test_docs.py"
        for topic, section in REFERENCE.findall(text)
        if re.sub(r"\s+#?\s*", " ", section) not in known.get(topic, ())
    ]
    assert missing == []


def test_nothing_refers_to_papers_that_are_not_in_the_repository() -> None:
    found = [
        f"{path}: {text[: match.start()].count(chr(10)) + 1}: {match.group()}"
        for path, text in _texts()
        if path != "tests/cli/test_docs.py"
        for match in PAPERS.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize("path", _written(), ids=lambda path: path.name)
def test_the_links_of_a_document_lead_somewhere(path: Path) -> None:
    broken = []
    for link in LINK.findall(_prose(path.read_text("utf-8"))):
        if link.startswith(("https://", "http://")):
            continue
        file, _, anchor = link.partition("#")
        target = path if not file else (path.parent / file)
        if not target.exists():
            broken.append(link)
        elif anchor:
            anchors = set(map(_anchor, _headings(target.read_text("utf-8"))))
            broken += [link] if anchor not in anchors else []
    assert broken == []


@pytest.mark.parametrize("path", _written(), ids=lambda path: path.name)
def test_the_files_that_a_document_names_exist(path: Path) -> None:
    named = set(NAMED_FILE.findall(path.read_text("utf-8")))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", _written(), ids=lambda path: path.name)
def test_the_modules_that_a_document_names_exist(path: Path) -> None:
    """As `package/module`, in text and in pictures."""
    named = set(NAMED_MODULE.findall(path.read_text("utf-8")))
    modules = {name: ROOT / "chatd" / name for name in named}
    assert [
        name
        for name, module in sorted(modules.items())
        if not module.is_dir() and not module.with_suffix(".py").is_file()
    ] == []


def test_names_of_modules_are_seen_wherever_they_stand() -> None:
    text = "(`chat/messages`, net/poller ► service/events/rooms, x/chat/a, chat/a-b)"
    assert NAMED_MODULE.findall(text) == ["chat/messages", "net/poller", "service/events/rooms"]


def test_the_tree_of_supervisors_is_drawn_as_it_is() -> None:
    children = [
        call.args[0].value
        for call in ast.walk(ast.parse((ROOT / "chatd/app/tree.py").read_text("utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Child"
        and isinstance(call.args[0], ast.Constant)
    ]
    document = (DOCS / "architecture.md").read_text("utf-8")
    drawing = document.partition("\n chatd   ")[2].partition("```")[0]
    names = [re.split(r" {2,}", line.strip())[0] for line in drawing.splitlines()[1:]]
    drawn = ", ".join(name for name in names if name).split(", ")
    assert sorted(drawn) == sorted(children)


def test_the_readme_can_be_read_in_a_few_minutes() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 200


def test_the_readme_opens_with_a_picture_of_the_page_light_and_dark() -> None:
    opening = (ROOT / "README.md").read_text("utf-8").partition("\n## ")[0]
    pictures = re.findall(r'<(?:source|img)[^>]* src(?:set)?="([^"]+)"', opening)
    assert pictures == ["chatd/docs/page-dark.png", "chatd/docs/page-light.png"]
    for name in pictures:
        picture = (ROOT / name).read_bytes()
        assert picture.startswith(b"\x89PNG\r\n")
        assert len(picture) <= BYTES_MAX
