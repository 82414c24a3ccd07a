"""`chatd docs`: the documents that are shipped with the daemon, as plain text."""

from importlib import resources

import click

from chatd.cli.options import say


def documents() -> dict[str, str]:
    """The text of each document by its topic, which is the name of its file in `chatd/docs`."""
    files = resources.files("chatd").joinpath("docs").iterdir()
    found = {file.name.removesuffix(".md"): file for file in files if file.name.endswith(".md")}
    return {topic: found[topic].read_text("utf-8") for topic in sorted(found)}


def summary(text: str) -> str:
    """What a document is about: the first sentence below its title."""
    paragraph = text.split("\n\n")[1].replace("\n", " ")
    return paragraph.partition(". ")[0].rstrip(".") + "."


@click.command()
@click.argument("topic", required=False)
def docs(topic: str | None) -> None:
    """Print the document about TOPIC; without TOPIC, list the topics."""
    known = documents()
    if topic is None:
        width = max(map(len, known))
        say("\n".join(f"{name:{width}}  {summary(text)}" for name, text in known.items()))
        return
    if topic not in known:
        raise click.UsageError(
            f"There is no document about {topic!r}; the topics are {', '.join(known)}."
        )
    say(known[topic].rstrip())
