"""`chatd docs`: the documents that are shipped with the daemon, as plain text."""

from importlib import resources

import click
import orjson

from chatd.app.settings import api_document
from chatd.cli.options import DiscreetCommand, say
from chatd.config import Config

OPENAPI = "openapi"
ABOUT_OPENAPI = "Rooms over HTTP, as an OpenAPI document in JSON."


def documents() -> dict[str, str]:
    """The text of each document by its topic, which is the name of its file in `chatd/docs`."""
    files = resources.files("chatd").joinpath("docs").iterdir()
    found = {file.name.removesuffix(".md"): file for file in files if file.name.endswith(".md")}
    return {topic: found[topic].read_text("utf-8") for topic in sorted(found)}


def summary(text: str) -> str:
    """What a document is about: the first sentence below its title."""
    paragraph = text.split("\n\n")[1].replace("\n", " ")
    return paragraph.partition(". ")[0].rstrip(".") + "."


@click.command(cls=DiscreetCommand)
@click.argument("topic", required=False)
def docs(topic: str | None) -> None:
    """Print the document about TOPIC; without TOPIC, list the topics."""
    known = documents()
    if topic is None:
        lines = {name: summary(text) for name, text in known.items()} | {OPENAPI: ABOUT_OPENAPI}
        width = max(map(len, lines))
        say("\n".join(f"{name:{width}}  {line}" for name, line in sorted(lines.items())))
        return
    if topic == OPENAPI:
        say(orjson.dumps(api_document(Config()), option=orjson.OPT_INDENT_2).decode())
        return
    if topic not in known:
        topics = ", ".join(sorted([*known, OPENAPI]))
        raise click.UsageError(f"There is no document about {topic!r}; the topics are {topics}.")
    say(known[topic].rstrip())
