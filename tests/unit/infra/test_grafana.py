"""The dashboard asks for what a node tells, and for all of it."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.api.test_metrics import told

DASHBOARD: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent.parent.parent / "infra" / "grafana.json").read_text()
)
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
_NAME = re.compile(r"\b(?:rankcast|process)_\w+")
_LABEL = re.compile(r"\{\{(\w+)\}\}|by \((\w+)\)")


def names(panel: dict[str, Any]) -> set[str]:
    return {name for target in panel["targets"] for name in _NAME.findall(target["expr"])}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_metric_of_a_panel_is_one_that_a_node_tells(panel: dict[str, Any]) -> None:
    assert names(panel)
    assert names(panel) <= {sample for sample, _ in told()}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_label_of_a_panel_is_one_that_its_metrics_have(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        asked = {one or other for one, other in _LABEL.findall(target["expr"] + target["legendFormat"])}
        has = [labels for sample, labels in told() if sample in _NAME.findall(target["expr"])]
        # Prometheus adds these of whoever it asks.
        assert all(asked <= labels | {"instance", "job"} for labels in has), target


def test_everything_that_a_node_tells_of_itself_is_on_it() -> None:
    ours = {re.sub(r"_(bucket|sum|count)$", "", sample) for sample, _ in told() if sample.startswith("rankcast_")}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for panel in PANELS for name in names(panel)}
    assert ours - shown == set()


def test_a_job_is_chosen_once_and_every_panel_keeps_to_it() -> None:
    assert {one["name"] for one in DASHBOARD["templating"]["list"]} == {"datasource", "job"}
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert all('{job="$job"}' in target["expr"][match.end() :][:20] for match in _NAME.finditer(target["expr"]))


def test_panels_have_ids_of_their_own_and_do_not_lie_on_each_other() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
