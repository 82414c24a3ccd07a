"""`chatd metrics`: what Grafana and Prometheus need to watch a daemon."""

from importlib import resources

import click

from chatd.cli.options import DiscreetGroup, say


@click.group(cls=DiscreetGroup)
def metrics() -> None:
    """Print what watches a daemon.

    A dashboard for Grafana and alert rules for Prometheus. `chatd docs operations` explains the
    metrics.
    """


@metrics.command()
def dashboard() -> None:
    """Print a dashboard for Grafana, to be imported there (JSON)."""
    say(_shipped("dashboard.json"))


@metrics.command()
def alerts() -> None:
    """Print alert rules for Prometheus (rule_files, YAML)."""
    say(_shipped("alerts.yml"))


def _shipped(name: str) -> str:
    """The text of a file of the package, without its last line feed."""
    return resources.files("chatd").joinpath("observe", name).read_text("utf-8").rstrip("\n")
