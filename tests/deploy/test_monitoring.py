"""The alert rules and the dashboard: they ring when they should, and ask for what there is."""

import json
import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.environment import BotEnvironment
from tests.support.exposition import metric_types, nothing_happened, scrape
from tests.support.tools import needs

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus-rules.yml"
DASHBOARD = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
PARTS = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("",), "gauge": ("",)}
VARIABLES = {"$__rate_interval": "5m", "$job": "secmaster-bot"}
# Prometheus's own.
FOREIGN = {"up", "ALERTS"}

needs_promtool = needs("promtool")


def promtool(*arguments: str, text: str = "") -> str:
    """Run Debian's promtool; return what it says, and fail where it is not content."""
    run = subprocess.run(
        ["promtool", *arguments], cwd=ROOT, input=text, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def alerts() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(RULES.read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def panels(*, rows: bool = False) -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if (panel["type"] == "row") is rows]


def expressions() -> Iterator[Any]:
    """Each expression of the rules and of the dashboard."""
    for alert in alerts():
        yield pytest.param(alert["expr"], id=alert["alert"])
    for panel in panels():
        for target in panel["targets"]:
            yield pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    for annotation in DASHBOARD["annotations"]["list"]:
        yield pytest.param(annotation["expr"], id=annotation["name"])


@needs_promtool
def test_the_rules_are_valid_and_ring_when_they_should() -> None:
    promtool("check", "rules", str(RULES))
    promtool("test", "rules", "tests/deploy/alerts.yml")


@needs_promtool
async def test_what_the_bot_answers_is_as_prometheus_would_have_it(
    environment: BotEnvironment,
) -> None:
    exposition = await scrape(environment.app.url)
    assert promtool("check", "metrics", text=exposition.text) == ""


@needs_promtool
def test_the_dashboard_asks_in_promql(tmp_path: Path) -> None:
    rules = []
    for number, parameters in enumerate(expressions()):
        [expression] = parameters.values
        for variable, value in VARIABLES.items():
            expression = expression.replace(variable, value)
        rules.append({"record": f"r{number}", "expr": expression})
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(file))


@pytest.mark.parametrize("expression", list(expressions()))
def test_what_is_asked_for_is_there(expression: str) -> None:
    """Each metric is exposed, and each value of a label that is asked for exists."""
    exposed = {
        name + part for name, kind in metric_types().items() for part in PARTS[kind]
    } | FOREIGN
    zeros = nothing_happened()
    for name, labels in re.findall(
        r"\b((?:secmaster_bot|process)_\w+|up|ALERTS)\b(?:{(.*?)})?", expression
    ):
        assert name in exposed
        for label, values in re.findall(r'(\w+)=~?"([^"$]*)"', labels):
            if label not in ("job", "alertname", "alertstate"):
                assert set(values.split("|")) <= zeros.label_values(name, label)


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    texts = alert["annotations"]
    assert texts.keys() == {"summary", "description", "runbook"}
    document, _, section = texts["runbook"].partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / document).read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}
    assert section in anchors | {""}


def test_every_alert_is_tried() -> None:
    tried = (ROOT / "tests/deploy/alerts.yml").read_text()
    assert [alert["alert"] for alert in alerts() if alert["alert"] not in tried] == []


def test_the_dashboard_is_laid_out_in_its_rows_and_asks_the_chosen_data_source() -> None:
    titles = [row["title"] for row in panels(rows=True)]
    assert titles == ["Is it well", "People", "SecMaster", "Slack", "Process"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels():
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    for before, after in pairwise(places):
        beside = after["y"] == before["y"] and after["x"] == before["x"] + before["w"]
        below = after["y"] == before["y"] + before["h"] and after["x"] == 0
        assert beside or below
        assert after["x"] + after["w"] <= 24
