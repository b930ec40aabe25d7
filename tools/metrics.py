"""The page of metrics, read from the chassis of every server."""

from __future__ import annotations

from prometheus_client.metrics import MetricWrapperBase

from learndock.serving import telemetry

INTRODUCTION = """# Metrics

Every service publishes these for Prometheus at the address in its setting `METRICS_LISTEN`, beside those of the
Python process.

Written by `make docs` from `learndock/serving/telemetry.py`.

| metric | type | what it tells | labels |
|---|---|---|---|
"""


def metrics_page() -> str:
    """The whole page."""
    metrics = [value for value in vars(telemetry).values() if isinstance(value, MetricWrapperBase)]
    rows = []
    for metric in metrics:
        family = next(iter(metric.describe()))
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        rows.append(f"| `{family.name}` | {family.type} | {family.documentation} | {labels} |\n")
    return INTRODUCTION + "".join(rows)
