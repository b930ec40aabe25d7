"""Alerts and the dashboard ask only for what services publish, and every alert is explained."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import re

import promql_parser
import pytest
import yaml

from tests.support.dock import ROOT

MONITORING = ROOT / "deploy" / "monitoring"
# Beside those of docs/metrics.md: of Prometheus itself, and of every Python process.
FOREIGN = {"up", "process_open_fds", "process_max_fds", "process_resident_memory_bytes", "process_cpu_seconds_total"}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def published() -> set[str]:
    """Names under which Prometheus keeps what docs/metrics.md lists."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE)
    return {name + suffix for name, kind in rows for suffix in SUFFIXES[kind]}


def alerts() -> list[dict[str, str]]:
    (group,) = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    return list(group["rules"])


def panels() -> list[dict[str, object]]:
    return list(json.loads((MONITORING / "dashboard.json").read_text())["panels"])


def expressions() -> Iterator[str]:
    yield from (alert["expr"] for alert in alerts())
    for panel in panels():
        for target in panel["targets"]:  # type: ignore[attr-defined]
            yield target["expr"].replace("$__rate_interval", "5m").replace("$service", ".*")


@pytest.mark.parametrize("expression", list(expressions()))
def test_it_asks_for_what_is_there(expression: str) -> None:
    promql_parser.parse(expression)
    named = set(re.findall(r"\b(?:learndock|process|up)(?:_\w+)?\b(?=[{\[)]|\s*$)", expression))
    assert named
    assert named <= published() | FOREIGN


def test_every_alert_has_its_paragraph_and_says_how_bad_it_is() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    described = dict(re.findall(r"^\*\*(Learndock\w+)\.\*\* (.+)", page, re.MULTILINE))
    assert list(described) == [alert["alert"] for alert in alerts()]
    assert {alert["labels"]["severity"] for alert in alerts()} == {"warning", "critical"}  # type: ignore[index]
    assert all(alert["annotations"]["summary"] for alert in alerts())  # type: ignore[index]


def test_every_panel_explains_itself_and_none_lies_on_another() -> None:
    assert all(panel["description"] for panel in panels())
    cells = [
        (x, y)
        for panel in panels()
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])  # type: ignore[index]
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])  # type: ignore[index]
    ]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in panels()}) == len(panels())
    assert Path(MONITORING / "prometheus.yaml").exists()
