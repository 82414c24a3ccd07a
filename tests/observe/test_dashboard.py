"""The dashboard: Grafana's form, expressions that Prometheus takes, metrics that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.cli.operations_tables import metrics
from tests.observe.promtool import promtool

DASHBOARD = json.loads(
    (Path(__file__).parents[2] / "chatd" / "observe" / "dashboard.json").read_text("utf-8")
)
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
GRAPHS = [panel for panel in PANELS if panel["type"] != "row"]
VARIABLES = {"$job": "chatd", "$instance": ".*", "$__rate_interval": "5m"}


def expressions() -> Iterator[str]:
    """All expressions of the dashboard, as Prometheus is asked them."""
    written = [target["expr"] for panel in GRAPHS for target in panel["targets"]]
    written += [one["expr"] for one in DASHBOARD["annotations"]["list"]]
    for expression in written:
        for variable, value in VARIABLES.items():
            expression = expression.replace(variable, value)
        yield expression


def test_each_panel_has_an_id_a_title_a_unit_and_a_place_of_its_own() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    places: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        taken = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not taken & places
        places |= taken
    for panel in GRAPHS:
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0


def test_every_panel_asks_the_data_source_that_a_person_chose() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in GRAPHS:
        assert panel["datasource"] == chosen
        assert all(target["datasource"] == chosen for target in panel["targets"])
    names = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert names == ["datasource", "job", "instance"]


def test_every_metric_of_the_dashboard_exists_with_the_labels_by_which_it_is_shown() -> None:
    known = {one.name: one for one in metrics()}
    for expression in expressions():
        for name in re.findall(r"\bchatd_\w+", expression):
            base = name.removesuffix("_bucket")
            assert base in known
            assert (known[base].kind == "histogram") == (base != name)
            by = re.findall(r"\bby \(([^)]*)\)", expression)
            labels = {label.strip() for group in by for label in group.split(",")}
            assert labels - {"le"} <= set(known[base].labels)


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {name for one in expressions() for name in re.findall(r"\bchatd_\w+", one)}
    assert {one.name for one in metrics()} <= {name.removesuffix("_bucket") for name in shown}


def test_prometheus_takes_every_expression(tmp_path: Path) -> None:
    rules = [
        {"record": f"of_the_dashboard:{number}", "expr": expression}
        for number, expression in enumerate(expressions())
    ]
    assert "$" not in json.dumps(rules)
    file = tmp_path / "expressions.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"SUCCESS: {len(rules)} rules found" in promtool("check", "rules", file)
